"""The backend process that all runs share. It is started when it is first needed, and kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from ..backend import Backend, BackendCommand, connect_backend, find_backend, start_backend
from ..backend.locate import TOKEN_VARIABLE, URL_VARIABLE, Address
from ..errors import SettingsError
from ..setup.install import Tell, update
from .request import BackendChoice


class BackendPool:
    """Holds at most one backend. Its methods may be called from any thread; starting one blocks other callers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._origin: object = None

    def acquire(
        self,
        choice: BackendChoice,
        cancelled: Callable[[], bool] = lambda: False,
        tell: Tell = lambda stage, line, fraction: None,
    ) -> Backend:
        """A backend that answers: the one we hold if it is the same choice and lives, else a new one.

        Before a new one is started, it is updated to what this extension brings; ``tell`` hears of that.

        Raises BackendError, SettingsError, Cancelled: see `backend.start_backend`, `backend.connect_backend` and
        `setup.install.update`.
        """
        with self._lock:
            url = chosen_url(choice)
            if url:
                address = Address.parse(url)  # what is wrong with it comes before what is wrong with the token
                if choice.offline and not address.loopback:
                    raise SettingsError(choice.offline)
                origin: tuple[str, str] | BackendCommand = (url, _token(choice.token_file))
            else:
                origin = chosen_command(choice)
            if self._backend is not None and (self._origin != origin or not self._backend.alive):
                self._backend.close()
                self._backend = None
            if self._backend is None:
                if isinstance(origin, tuple):
                    self._backend = connect_backend(*origin, cancelled=cancelled)
                else:
                    if choice.update is not None and origin.argv[0] == str(choice.update.environment_python):
                        update(choice.update, tell, cancelled)
                        tell("backend", "", None)
                    self._backend = start_backend(origin, cancelled=cancelled)
                self._origin = origin
            return self._backend

    @property
    def current(self) -> Backend | None:
        """The backend that was last acquired; it may have ended since."""
        return self._backend

    def discard(self) -> None:
        """End the backend and forget it: it hangs, died, or is not needed any more."""
        with self._lock:
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()


def chosen_url(choice: BackendChoice) -> str:
    """Where the backend that somebody else runs is; empty: we start one. The variable ``WARPNOISE_URL`` wins."""
    return choice.url if choice.exclusive else os.environ.get(URL_VARIABLE, "") or choice.url


def chosen_command(choice: BackendChoice) -> BackendCommand:
    """The command that starts the backend. Raises BackendMissingError, see `backend.find_backend`."""
    return find_backend(choice.python, {} if choice.exclusive else os.environ)


def _token(token_file: str) -> str:
    if token := os.environ.get(TOKEN_VARIABLE, ""):
        return token
    if not token_file:
        raise SettingsError(
            "a backend at a URL needs its token: choose its token file in the add-on's preferences, or set the "
            "variable {token_variable}",
            token_variable=TOKEN_VARIABLE,
        )
    try:
        token = Path(token_file).expanduser().read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "the token file {token_file} cannot be read: {error}", token_file=token_file, error=error
        ) from None
    if not token or not token.isprintable():
        raise SettingsError("the token file {token_file} holds no token", token_file=token_file)
    return token

"""Asks the Hugging Face hub about a model: its license, and the files that Warpnoise would download.

Warpnoise downloads only configurations, tokenizers and safetensors files, at the places where diffusers expects them.
It ignores a repository's other files, such as pickles. The hub's answers have limits, like all input from outside.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from warpnoise.errors import HubError
from warpnoise.media.json_file import parse_json
from warpnoise.sdedit.families import controlled_family
from warpnoise.sdedit.folder_checks import NO_WEIGHTS, family_of
from warpnoise.sdedit.model_files import LARGEST_CONFIG, PICKLES, check_config, choose_weights
from warpnoise.sdedit.places import is_hub_id

TRANSPORT_ERRORS: tuple[type[Exception], ...] = (HfHubHTTPError.__bases__[0], ConnectionError)
"""Errors of a failed connection. The first is of the HTTP library that the installed hub library uses."""

_CONTROL = "ControlNet for "
_LARGEST_ANSWER = 16 << 20
_LARGEST_FILE = 1 << 40
_SECONDS = 10.0
"""For the connection, and between two parts of an answer."""
_NAME = re.compile(r"(?:[A-Za-z0-9]\w{0,59}/)?[A-Za-z0-9][\w.-]{0,119}", re.ASCII)
_CONFIGURATION = (".json", ".txt", ".model", ".jinja")
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. ``digest``: SHA-256 of its bytes, or, with 40 digits, its SHA-1 as a git blob."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Offer:
    """A model that can be downloaded, in its current version. ``license``: as written by its owner, or ""."""

    id: str
    revision: str
    family: str
    license: str
    license_url: str
    gated: bool
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def is_control(self) -> bool:
        """Whether it is a ControlNet, not a model."""
        return self.family.startswith(_CONTROL)

    @property
    def weights(self) -> int:
        """Bytes of weights."""
        return sum(file.size for file in self.files if file.name.endswith(".safetensors"))

    @property
    def page(self) -> str:
        return f"{constants.ENDPOINT}/{self.id}"


def look_up(hub_id: str) -> Offer:
    """Ask the hub about a model.

    Raises:
        HubError: there is no such model, it has an unsupported family or no safetensors files, it is gated, or the hub
            cannot be reached or gives an unexpected answer.
    """
    if not is_hub_id(hub_id):
        raise HubError(f"{hub_id[:100]!r} is not a model name of the hub: expected OWNER/NAME, as on its page.")
    if constants.HF_HUB_OFFLINE:
        raise HubError("HF_HUB_OFFLINE is set: unset it to download a model.", "offline")
    info = _object(_get(hub_id, f"api/models/{hub_id}/revision/main?blobs=true", _LARGEST_ANSWER), hub_id)
    revision = info.get("sha")
    if not isinstance(revision, str) or not _SHA1.fullmatch(revision):
        raise _nonsense(hub_id, "no revision")
    there = _files(hub_id, info.get("siblings"))
    card = info.get("cardData")
    card = card if isinstance(card, dict) else {}
    named = _word(card.get("license_name")) if card.get("license") == "other" else ""
    family, names = _wanted(hub_id, revision, there)
    return Offer(
        id=hub_id,
        revision=revision,
        family=family,
        license=named or _word(card.get("license")),
        license_url=_license_url(hub_id, card.get("license_link")),
        gated=info.get("gated") not in (None, False),
        files=tuple(there[name] for name in names),
    )


@contextlib.contextmanager
def stream(hub_id: str, path: str, headers: dict[str, str] | None = None) -> Iterator[Any]:
    """The hub's answer to a GET, before its body is read. Raises HubError for any other status than 2xx."""
    wanted = {**build_hf_headers(library_name="warpnoise"), "Accept-Encoding": "identity", **(headers or {})}
    url = f"{constants.ENDPOINT}/{path}"
    with get_session().stream("GET", url, headers=wanted, timeout=_SECONDS) as response:
        try:
            hf_raise_for_status(response)
        except GatedRepoError:
            raise HubError(
                f"The owner of {hub_id} requires an agreement: open {constants.ENDPOINT}/{hub_id} in a browser, "
                "agree there, then sign in on this machine with `hf auth login`, or set HF_TOKEN.",
                "gated",
            ) from None
        except RepositoryNotFoundError:
            raise HubError(
                f"The hub has no model {hub_id}, or it is private. Check the name on {constants.ENDPOINT}; for a "
                "private model, sign in with `hf auth login`."
            ) from None
        except HfHubHTTPError:
            raise HubError(
                f"The hub answered {response.status_code} for {hub_id}. Try again later; downloaded parts are kept."
            ) from None
        yield response


def file_path(hub_id: str, revision: str, name: str) -> str:
    """Where a file of a repository is, below the hub's address."""
    return f"{hub_id}/resolve/{revision}/{quote(name)}"


def unreachable(failure: BaseException) -> HubError:
    """The error for a failed connection."""
    reason = str(failure).strip().splitlines()[0][:200] if str(failure).strip() else type(failure).__name__
    return HubError(
        f"{constants.ENDPOINT} cannot be reached ({reason}). Check the connection and run again: downloaded "
        "parts are kept."
    )


def _get(hub_id: str, path: str, largest: int) -> bytes:
    """A small answer, whole."""
    data = bytearray()
    try:
        with stream(hub_id, path) as response:
            for block in response.iter_raw():
                data += block
                if len(data) > largest:
                    raise _nonsense(hub_id, f"more than {largest} bytes")
    except HubError:
        raise
    except TRANSPORT_ERRORS as failure:
        raise unreachable(failure) from failure
    return bytes(data)


def _object(data: bytes, hub_id: str) -> dict[str, Any]:
    value = parse_json(data, f"the hub's answer for {hub_id}", error=HubError, largest=_LARGEST_ANSWER, finite=False)
    if not isinstance(value, dict):
        raise _nonsense(hub_id, "no object")
    return value


def _files(hub_id: str, siblings: Any) -> dict[str, RemoteFile]:
    """The files that have names which Warpnoise may write, with their sizes and digests."""
    if not isinstance(siblings, list) or len(siblings) > 100_000:
        raise _nonsense(hub_id, "no list of files")
    files = {}
    for entry in siblings:
        name = entry.get("rfilename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
            continue
        lfs = entry.get("lfs") or {}
        size, digest = entry.get("size"), (lfs.get("sha256") if isinstance(lfs, dict) else None) or entry.get("blobId")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _LARGEST_FILE:
            raise _nonsense(hub_id, f"no size for {name}")
        if not isinstance(digest, str) or not (_SHA256.fullmatch(digest) or _SHA1.fullmatch(digest)):
            raise _nonsense(hub_id, f"no checksum for {name}")
        files[name] = RemoteFile(name, size, digest)
    return files


def _wanted(hub_id: str, revision: str, there: dict[str, RemoteFile]) -> tuple[str, list[str]]:
    """The family of a repository, and the files that make it up."""
    index_name = next((name for name in ("model_index.json", "config.json") if name in there), None)
    if index_name is None:
        raise HubError(
            f"{hub_id} cannot be read by diffusers: it has neither model_index.json nor config.json. If it "
            "offers a single .safetensors or .gguf file, download the file and use its path."
        )
    index = _object(_get(hub_id, file_path(hub_id, revision, index_name), LARGEST_CONFIG), hub_id)
    check_config(index_name, index)
    if index_name == "config.json" and (title := controlled_family(index.get("_class_name"))):
        return _CONTROL + title, ["config.json", *_weights(hub_id, "", there)]
    parts, family = family_of(hub_id, index, index_name)
    names: list[str] = [name for name in ("model_index.json", "styles.json") if name in there]
    for part, (_, kind) in parts.items():
        prefix = f"{part}/" if any(name.startswith(f"{part}/") for name in there) else ""
        names += [name for name in there if _parent(name) == prefix and name.endswith(_CONFIGURATION)]
        if not kind.endswith(NO_WEIGHTS):
            names += _weights(hub_id, prefix, there)
    return family.title if family else "Pixel model", list(dict.fromkeys(names))


def _weights(hub_id: str, prefix: str, there: dict[str, RemoteFile]) -> list[str]:
    inside = [name.removeprefix(prefix) for name in there if _parent(name) == prefix]
    chosen, _ = choose_weights(inside, ("fp16", None))
    if not chosen:
        pickled = any(name.endswith(PICKLES) for name in inside)
        why = "only as pickles, which can run any program" if pickled else "not at all"
        part = prefix.rstrip("/") or "its network"
        raise HubError(f"{hub_id} has the weights of {part} {why}: choose another model.")
    return [prefix + name for name in chosen]


def _parent(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _word(value: Any) -> str:
    """A license's name."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value.strip()[:100] if isinstance(value, str) and value.isprintable() else ""


def _license_url(hub_id: str, link: Any) -> str:
    if isinstance(link, str) and link.startswith("https://") and link.isprintable() and len(link) <= 500:
        return link
    return f"{constants.ENDPOINT}/{hub_id}"


def _nonsense(hub_id: str, what: str) -> HubError:
    return HubError(f"The hub's answer for {hub_id} is damaged: {what}. Try again later.")

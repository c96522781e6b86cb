"""A Slurm cluster of virtual nodes on this machine, each in a process namespace that can be killed as a whole.

Needs root and Debian's package slurm-wlm; no munge, no configuration of the machine's own.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "unshare")
NODES = ("n1", "n2")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=5
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_interval=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty: there can."""
    absent = [name for name in PROGRAMS if _which(name) is None]
    if absent:
        return f"{', '.join(absent)} not found: install Debian's package slurm-wlm"
    return "" if os.geteuid() == 0 else "virtual nodes need root"


class Cluster:
    """``with Cluster(folder) as cluster:`` runs a controller and two nodes of one CPU each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self._controller: subprocess.Popen[bytes] | None = None
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        for name in ("state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        text = CONFIGURATION.format(host=socket.gethostname().split(".")[0], folder=self.folder, ports=_free_ports(3))
        self.configuration.write_text(text)
        try:
            self._controller = self._start("slurmctld", "-D", "-f", str(self.configuration))
            for node in NODES:
                self.start(node)
            self.until(lambda: self.states() == dict.fromkeys(NODES, "IDLE"), 60, "the nodes answer")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for process in (*self._nodes.values(), self._controller):
            if process is not None:
                process.kill()
                process.wait()

    def start(self, node: str) -> None:
        """Switches a node on."""
        # --kill-child: with the first process the whole namespace ends, its tasks too, as when a machine loses power.
        self._nodes[node] = self._start(
            *("unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
            *(str(_which("slurmd")), "-D", "-N", node, "-f", str(self.configuration)),
        )

    def kill(self, node: str) -> None:
        """Switches a node off in the middle of whatever it does."""
        self._nodes[node].kill()
        self._nodes[node].wait()

    def call(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    def environment(self, **more: str) -> dict[str, str]:
        return os.environ | {"SLURM_CONF": str(self.configuration)} | more

    def states(self) -> dict[str, str]:
        """Each node's state: IDLE, ALLOCATED, DOWN, ..."""
        lines = self.call("scontrol", "-o", "show", "nodes").splitlines()
        return {_field(line, "NodeName"): re.split(r"\W", _field(line, "State"))[0] for line in lines if line.strip()}

    def jobs(self) -> list[dict[str, str]]:
        """The jobs, an array's tasks each: JobId, JobName, JobState, NodeList, Restarts."""
        names = ("JobId", "JobName", "JobState", "NodeList", "Restarts")
        lines = self.call("scontrol", "-o", "show", "jobs").splitlines()
        return [{name: _field(line, name) for name in names} for line in lines if line.startswith("JobId=")]

    def start_requeued(self) -> None:
        """Lets tasks of a dead node begin now: Slurm makes them wait for two minutes, which a test need not."""
        for job in self.jobs():
            if job["JobState"] == "PENDING" and int(job["Restarts"]):
                self.call("scontrol", "update", f"JobId={job['JobId']}", "StartTime=now")

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits. Raises TimeoutError that names ``what``, with the jobs and the controller's log."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                log = self.folder / "ctld.log"
                said = log.read_text()[-3000:] if log.is_file() else ""
                raise TimeoutError(f"not within {seconds} s: {what}\n{self.states()}\n{self.jobs()}\n{said}")
            time.sleep(0.2)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        program = _which(command[0])
        return subprocess.Popen(
            [str(program), *command[1:]],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _field(line: str, name: str) -> str:
    return next((word.partition("=")[2] for word in line.split() if word.startswith(f"{name}=")), "")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports

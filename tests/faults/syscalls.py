"""R2, R3: the process is killed, or told EIO or ENOSPC, at the N-th call of each kind; the state is before or after.

strace attaches to a child that was forked warm, so that a run costs a fraction of a second.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from faults.common import FaultFound, counted, fork, require, scratch, warm_up
from faults.script import WRITES, judge, play, prepare, step_name, worlds

#: Calls that change what is on the device.
CALLS = (
    "fsync",
    "fdatasync",
    "rename",
    "write",
    "pwrite64",
    "unlink",
    "ftruncate",
    "link",
    "symlink",
    "mkdir",
    "rmdir",
)
#: Those that a device can fail at, with the errors that they then give.
FAILING = {
    "EIO": ("fsync", "fdatasync", "write", "pwrite64", "rename", "unlink", "ftruncate", "link"),
    "ENOSPC": ("fsync", "fdatasync", "write", "pwrite64", "rename", "ftruncate", "link"),
}


def missing() -> str | None:
    """Why these faults cannot be injected here; None where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    pid = fork(lambda: os.kill(os.getpid(), signal.SIGSTOP))
    os.waitpid(pid, os.WUNTRACED)
    try:
        tracer = subprocess.Popen(["strace", "-p", str(pid)], stderr=subprocess.PIPE)
        traced = _attached(pid, tracer)
        tracer.terminate()
        tracer.communicate()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None if traced else "strace may not trace here"


def _attached(pid: int, tracer: subprocess.Popen[bytes]) -> bool:
    for _ in range(2000):
        if re.search(r"TracerPid:\t[1-9]", Path(f"/proc/{pid}/status").read_text()):
            return True
        if tracer.poll() is not None:
            return False
        time.sleep(0.002)
    return False


def traced(place: Path, options: list[str]) -> tuple[str, int]:
    """Play the script in `place` under strace: what the child told, and its wait status."""
    reader, writer = os.pipe()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        play(place, writer)

    pid = fork(work)
    os.close(writer)
    os.waitpid(pid, os.WUNTRACED)
    tracer = subprocess.Popen(["strace", "-f", "-q", *options, "-p", str(pid)], stderr=subprocess.DEVNULL)
    require(_attached(pid, tracer), "strace did not attach")
    os.kill(pid, signal.SIGCONT)
    status = os.waitpid(pid, 0)[1]
    tracer.wait()
    with os.fdopen(reader, "rb") as told:
        return told.read().decode(), status


def count_calls(place: Path) -> Counter[str]:
    """How often each call is made when nothing fails."""
    log = place.with_name("calls")
    told, status = traced(place, ["-e", f"trace={','.join(CALLS)}", "-o", str(log)])
    require(status == 0 and told.count(".") == len(worlds()) - 1, f"the script does not run by itself: {told}")
    return Counter(re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.MULTILINE))


def run(share: float = 1.0, seed: int = 2, mode: str = "all") -> dict[str, Any]:
    """Inject at every place, or at a random `share` of them."""
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    refused = resumed = 0
    with scratch() as root:
        warm_up(root)
        template = root / "template"
        prepare(template)
        shutil.copytree(template, root / "first", symlinks=True)
        calls = count_calls(root / "first")
        cases = [("KILL", name, n) for name in CALLS for n in range(1, calls[name] + 1)]
        cases += [
            (error, name, n) for error, names in FAILING.items() for name in names for n in range(1, calls[name] + 1)
        ]
        cases = [case for case in cases if mode in ("all", case[0])]
        chosen = [case for case in cases if share >= 1 or rng.random() < share]
        for number, (fault, name, n) in enumerate(chosen):
            place = root / f"case{number}"
            shutil.copytree(template, place, symlinks=True)
            how = "signal=KILL" if fault == "KILL" else f"error={fault}"
            told, status = traced(place, ["-e", f"inject={name}:{how}:when={n}", "-o", "/dev/null"])
            what = f"{fault} at {name} {n}"
            lines = told.split()
            done = lines.count(".")
            try:
                if fault == "KILL":
                    require(os.WIFSIGNALED(status) or done == len(worlds()) - 1, f"was not killed: {told!r}")
                else:
                    require(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, f"exit {status}: {told!r}")
                    errors = [line[1:] for line in lines if line[0] == "!"]
                    require(all(known_error(error) for error in errors), f"an error of no tree: {errors}")
                    require(not errors or {"s", "o"} & set(lines), "searching ended with the error")
                    if errors and name in ("fsync", "fdatasync") and "o" not in lines and step_name(done) in WRITES:
                        require("-WriterStoppedError" in lines, "written after a failed flush")
                    refused += "-WriterStoppedError" in lines
                    resumed += "+" in lines
                outcome = judge(place, done, late="+" in lines, what=what)
            except FaultFound as found:
                raise FaultFound(f"{what}: {found}; told {told!r}") from found
            outcomes[f"{fault}_{outcome if done < len(worlds()) - 1 else 'unnoticed'}"] += 1
            shutil.rmtree(place)
    return {
        "places": len(cases),
        "injected": len(chosen),
        "outcomes": counted(outcomes),
        "neither": 0,
        "refused_until_reopened": refused,
        "went_on": resumed,
    }


def known_error(name: str) -> bool:
    import lsr.errors

    return hasattr(lsr.errors, name)

"""Why a jail does not start, and the sentence that mends it. The decision is pure; the facts are read here too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.sandbox.protocol import NoSandbox
from workspace.text import plain

_REFUSED = "So no agent runs here: research and fixes wait"
_SYSCTL = "/etc/sysctl.d/60-loopdesk.conf"
_KERNEL = Path("/proc/sys")


@dataclass(frozen=True, slots=True)
class Kernel:
    """Settings that forbid an ordinary user namespaces of its own. None: this kernel has no such setting."""

    most_user_namespaces: int | None = None
    unprivileged_userns_clone: int | None = None
    apparmor_restricts: int | None = None
    is_container: bool = False


def kernel() -> Kernel:
    return Kernel(
        most_user_namespaces=_setting("user/max_user_namespaces"),
        unprivileged_userns_clone=_setting("kernel/unprivileged_userns_clone"),
        apparmor_restricts=_setting("kernel/apparmor_restrict_unprivileged_userns"),
        is_container=any(Path(name).exists() for name in ("/.dockerenv", "/run/.containerenv")),
    )


def _setting(name: str) -> int | None:
    try:
        return int((_KERNEL / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def why_no_jail(errors: str | None, found: Kernel | None = None) -> NoSandbox:
    """`errors` is what bubblewrap wrote; None where it is not installed."""
    if errors is None:
        return NoSandbox(
            "bubblewrap is not installed", _REFUSED, "Install it: `apt install bubblewrap`, or `dnf install bubblewrap`"
        )
    found = found or kernel()
    if "Unknown option" in errors:
        return NoSandbox("bubblewrap is older than 0.8", _REFUSED, "Install a newer one")
    if found.most_user_namespaces == 0:
        return _off("user.max_user_namespaces = 0", "user.max_user_namespaces=15000")
    if found.unprivileged_userns_clone == 0:
        return _off("kernel.unprivileged_userns_clone = 0", "kernel.unprivileged_userns_clone=1")
    is_forbidden = any(word in errors for word in ("Permission denied", "Operation not permitted"))
    if is_forbidden and found.apparmor_restricts:
        return NoSandbox(
            "AppArmor forbids bubblewrap user namespaces",
            _REFUSED,
            "Allow them to it alone with a profile `/etc/apparmor.d/bwrap` (`abi <abi/4.0>, include <tunables/global> "
            "profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }`), then: sudo systemctl reload apparmor",
        )
    if is_forbidden and found.is_container:
        return NoSandbox(
            "This container forbids user namespaces",
            _REFUSED,
            "Start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`, or run loopdesk "
            "beside it",
        )
    said = plain(errors.strip().splitlines()[-1], 160) if errors.strip() else "it said nothing"
    return NoSandbox(f"The jail did not start ({said})", _REFUSED, "`loopdesk doctor` looks at what it needs")


def _off(setting: str, wanted: str) -> NoSandbox:
    return NoSandbox(
        f"This machine allows no user namespaces ({setting})",
        _REFUSED,
        f"Allow them: echo {wanted} | sudo tee {_SYSCTL} && sudo sysctl --system",
    )

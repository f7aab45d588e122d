"""Keys of a whole fleet under TLS are in their files, and nowhere else that anybody looks."""

import asyncio
import os
import tempfile
from pathlib import Path

import psutil
import pytest

from director.dev.directors import Directors
from director.dev.launch import CHAT, launch
from director.dev.plan import free_port_base, plan_fleet
from director.dev.supervisor import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]


def canaries(pki: Path) -> set[str]:
    """Every line of every key: none of them stands anywhere else by chance."""
    keys = sorted(pki.glob("*-key.pem"))
    assert len(keys) > 10
    return {
        line
        for key in keys
        for line in key.read_text().splitlines()
        if not line.startswith("-----") and len(line) > 20
    }


def everything_said(folder: Path) -> dict[str, str]:
    """Command lines, environments and files of a fleet, but for the directory of keys."""
    texts = {}
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line:
            texts[f"argv of {process.info['pid']}"] = line
            texts[f"env of {process.info['pid']}"] = str(process.environ())
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "pki":
            texts[str(path)] = path.read_text("utf-8", errors="replace")
    return texts


def found_in(texts: dict[str, str], secrets: set[str]) -> list[str]:
    return sorted(name for name, text in texts.items() if any(each in text for each in secrets))


def test_no_key_is_in_a_command_line_an_environment_a_log_or_an_exported_state() -> None:
    async def story(folder: Path) -> None:
        fleet = Fleet(plan_fleet(free_port_base(25_000)), folder, is_tls=True)
        try:
            async with Directors(fleet.plan.api_addresses, fleet.operator_tls()) as directors:
                await launch(fleet, directors)
                await directors.start_switchover(CHAT, "eu-north1", "to have something logged")
                status = str(await directors.status())
            secrets = canaries(folder / "pki")
            texts = {"status": status, **everything_said(folder)}
            assert sum(name.startswith("argv") for name in texts) >= 11
            assert sum(name.endswith(".log") for name in texts) >= 11
            assert found_in(texts, secrets) == []
            # The search finds what is there.
            key = folder / "pki" / "ca-key.pem"
            assert found_in({"key": key.read_text()}, secrets) == ["key"]
            modes = {each.stat().st_mode & 0o777 for each in (folder / "pki").glob("*-key.pem")}
            assert modes == {0o600}
            assert (folder / "pki").stat().st_mode & 0o077 == 0
            assert os.geteuid() == key.stat().st_uid
        finally:
            await fleet.stop()

    with tempfile.TemporaryDirectory(prefix="td-") as name:
        asyncio.run(story(Path(name)))

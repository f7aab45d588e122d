"""Documents from the command line to a real leader and back: the path an operator takes."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import Result
from structlog.testing import capture_logs

from tests.cli.running import run as director
from tests.shells.fleet import MANIFEST, Fleet, a_fleet

pytestmark = pytest.mark.slow

LESS = MANIFEST.replace(
    '    - {name: us-east1, endpoints: [{address: "127.0.0.1:9013"}]}\n', ""
).replace("{automation: Automatic}", "{automation: Automatic, hold: 2s}")


def test_documents_are_planned_applied_compared_listed_and_rolled_back(tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"

    async def story(fleet: Fleet) -> None:
        # A follower is asked: the command finds the leader by itself.
        follower = fleet.addresses["d1"]

        async def run(*arguments: str) -> Result:
            return await asyncio.to_thread(director, *arguments, "--endpoint", follower)

        file.write_text(MANIFEST)
        assert (await run("diff", "-f", str(file))).exit_code == 1
        first = await run("plan", "-f", str(file), "--detailed-exitcode")
        assert (first.exit_code, first.stdout.splitlines()[0]) == (
            1,
            "changes to revision 0: 4 added, 0 removed, 0 changed",
        )
        applied = await run("apply", "-f", str(file), "--reason", "first")
        assert applied.stdout.startswith("revision 1 in force"), applied.stderr

        file.write_text(LESS)
        plan = json.loads((await run("plan", "-f", str(file), "-o", "json")).stdout)
        assert [each["name"] for each in plan["changes"]] == ["calm", "embed"]
        assert [each["service_id"] for each in plan["traffic"]] == ["embed"]
        await run("apply", "-f", str(file), "--etag", plan["etag"], "--reason", "less")
        again = await run("apply", "-f", str(file), "--etag", plan["etag"])
        assert again.exit_code == 7

        nothing = await run("plan", "-f", str(file), "--detailed-exitcode")
        assert nothing.stdout == "no changes: revision 2 says the same\n"
        back = await run("rollback", "1", "--yes", "--reason", "too little")
        assert back.exit_code == 0, back.stderr
        assert back.stdout.startswith("revision 3 in force")

        listed = json.loads((await run("history", "-o", "json")).stdout)
        assert [(each["revision"], each["reason"]) for each in listed["items"]] == [
            (3, "too little"),
            (2, "less"),
            (1, "first"),
        ]
        assert (await run("export")).stdout == MANIFEST
        assert (await run("export", "--revision", "2")).stdout == LESS
        explained = json.loads((await run("explain", "budget", "chat", "-o", "json")).stdout)
        parts = [each["spent_ms"] for each in explained["recovery"]]
        assert sum(parts) == explained["predicted_rto_ms"]
        policies = await run("get", "policies")
        assert policies.stdout.splitlines()[1].split()[-1] == "chat,embed"

    async def whole() -> None:
        async with a_fleet(size=3) as fleet:
            await story(fleet)

    # The replicas share this process, and would log on the stdout that the commands print on.
    with capture_logs():
        asyncio.run(whole())

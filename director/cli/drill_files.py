"""Reports of drills as files: written for people and programs, read again to be verified."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from director.cli import methods
from director.cli.drill_report import report_html
from director.cli.exits import CliError, ExitCode
from director.cli.output import API_VERSION
from director.core.drill_view import content_hash
from director.core.reasons import Reason
from trafficdirector.drill.v1 import drill_pb2 as pb

if TYPE_CHECKING:
    from director.cli.connection import Connection

KIND = "DrillReport"
FOLDER = "drill-reports"
# Far above any report; what is larger is something else.
_FILE_BYTES_MAX = 4 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Report:
    """A report as a director gave it, or a file says."""

    drill_id: str
    content: dict[str, Any]
    report_hash: str

    def document(self) -> dict[str, Any]:
        """Return it as the JSON file has it."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "reportHash": self.report_hash,
            "content": self.content,
        }


def fetched(connection: Connection, drill_id: str) -> Report:
    """Return the report of a drill that ended.

    Raises:
        CliError: There is none; or what arrived is not what its hash says.
    """
    answer = connection.call(methods.GET_DRILL_REPORT, pb.GetDrillReportRequest(drill_id=drill_id))
    content = json.loads(answer.content)
    if content_hash(content) != answer.report_hash:
        message = f"the report of {drill_id} is not what its hash says; it was changed on its way"
        raise CliError(message, ExitCode.NO)
    return Report(answer.drill_id, content, answer.report_hash)


def written(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write the page and the JSON beside it; return both paths, the page first.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A drill's name comes from a director, and must not lead out of the folder.
    stem = _UNSAFE.sub("-", report.drill_id).strip("-") or "drill"
    page, data = folder / f"{stem}.html", folder / f"{stem}.json"
    text = json.dumps(report.document(), indent=2, sort_keys=True, ensure_ascii=False)
    data.write_text(text + "\n", encoding="utf-8")
    page.write_text(report_html(report.content, report.report_hash), encoding="utf-8")
    return page, data


def read(path: Path) -> Report:
    """Return what a JSON file says; whether that is true is for ``verdict`` to say.

    Raises:
        CliError: It is no report.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise CliError(f"{path} is too large to be a report", ExitCode.USAGE)
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(
            f"{path}: {(error.strerror or str(error)).lower()}", ExitCode.USAGE
        ) from None
    except (ValueError, RecursionError) as error:
        raise CliError(f"{path} is not JSON: {error}", ExitCode.USAGE) from None
    content = value.get("content") if isinstance(value, dict) else None
    drill_id = content.get("drill_id") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(drill_id, str) or value.get("kind") != KIND:
        hint = "give the JSON file that `director drill report` wrote"
        raise CliError(f"{path} is not the report of a drill", ExitCode.USAGE, hint=hint)
    return Report(drill_id, content, str(value.get("reportHash", "")))


def mismatch(connection: Connection, report: Report) -> str:
    """Return why a report is not the one that the directors recorded, or "" if it is.

    The hash that the file states is not believed: it is worked out anew from the content.
    """
    found = content_hash(report.content)
    if found != report.report_hash:
        return f"its content has the hash {found}, and it states {report.report_hash or 'none'}"
    try:
        answer = connection.call(
            methods.GET_DRILL_REPORT, pb.GetDrillReportRequest(drill_id=report.drill_id)
        )
    except CliError as error:
        if error.reason != Reason.DRILL_NOT_FOUND:
            raise
        return f"the directors have no record of {report.drill_id} to compare it with"
    if answer.report_hash != found:
        return f"the directors recorded {answer.report_hash}, and its content has {found}"
    return ""

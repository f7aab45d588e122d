"""The flags that name certificate, key and authorities, for all that connects or serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from director.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from director.runtime.tls import TlsFiles, TlsPaths

_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class TlsFlags:
    """What was given. None where nothing was, which is all of them or none."""

    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    trust_domain: str | None = None

    def paths(self) -> TlsPaths | None:
        """Return them together; None without TLS.

        Raises:
            CliError: Some are given and others are not.
        """
        from director.runtime.tls import TlsPaths  # noqa: PLC0415 - gRPC, which help does not need

        if self.tls_cert is None and self.tls_key is None and self.tls_ca is None:
            return None
        if self.tls_cert and self.tls_key and self.tls_ca and self.trust_domain:
            return TlsPaths(self.tls_cert, self.tls_key, self.tls_ca, self.trust_domain)
        missing = [
            flag
            for flag, value in (
                ("--tls-cert", self.tls_cert),
                ("--tls-key", self.tls_key),
                ("--tls-ca", self.tls_ca),
                ("--trust-domain", self.trust_domain),
            )
            if not value
        ]
        message = f"TLS needs {', '.join(missing)} too"
        raise CliError(message, ExitCode.USAGE, hint="make certificates with `director pki`")


TLS_OPTIONS: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...] = (
    click.option(
        "--tls-cert",
        type=_FILE,
        metavar="FILE",
        envvar="DIRECTOR_TLS_CERT",
        help="Own certificate, PEM. With it everything is mutual TLS.",
    ),
    click.option(
        "--tls-key",
        type=_FILE,
        metavar="FILE",
        envvar="DIRECTOR_TLS_KEY",
        help="Its key, PEM, mode 0600.",
    ),
    click.option(
        "--tls-ca",
        type=_FILE,
        metavar="FILE",
        envvar="DIRECTOR_TLS_CA",
        help="Authorities that are trusted, PEM.",
    ),
    click.option(
        "--trust-domain",
        metavar="NAME",
        envvar="DIRECTOR_TRUST_DOMAIN",
        help="Trust domain of every identity that counts.",
    ),
)


def opened(paths: TlsPaths | None) -> TlsFiles | None:
    """Read the files; None without TLS.

    Raises:
        CliError: They cannot be used; the message says which and what to do.
    """
    if paths is None:
        return None
    from director.runtime.tls import TlsError, TlsFiles  # noqa: PLC0415 - as above

    try:
        return TlsFiles(paths)
    except TlsError as error:
        raise CliError(str(error), ExitCode.USAGE) from None

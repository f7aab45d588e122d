"""When the certificates of this process end, as metrics; replicas and agents show them alike."""

from director.runtime.caller import DENIALS
from director.runtime.metrics import Kind, Metric, Sheet
from director.runtime.tls import TlsFiles, certificate_expiry_seconds

CERTIFICATE_EXPIRY = Metric(
    "director_certificate_expiry_timestamp_seconds",
    Kind.GAUGE,
    "Wall clock at which a certificate of this process ends.",
    ("purpose",),
)
CERTIFICATE_ISSUED = Metric(
    "director_certificate_issued_timestamp_seconds",
    Kind.GAUGE,
    "Wall clock from which the own certificate holds.",
    ("purpose",),
)
DENIED_CALLS = Metric(
    "director_denied_calls_total",
    Kind.COUNTER,
    "Calls refused for who made them.",
    ("fault",),
)
CERTIFICATE_METRICS = (CERTIFICATE_EXPIRY, CERTIFICATE_ISSUED, DENIED_CALLS)

_LEAF = "leaf"
PERMISSION_DENIED = "PERMISSION_DENIED"
_MS_PER_S = 1_000


def put_certificates(sheet: Sheet, tls: TlsFiles | None) -> None:
    """Say when what is used began and ends, and who was refused; nothing without TLS."""
    for purpose, at_s in certificate_expiry_seconds(tls).items():
        sheet.put(CERTIFICATE_EXPIRY, at_s, purpose)
    if tls is not None:
        sheet.put(CERTIFICATE_ISSUED, tls.certificate.not_before_ms // _MS_PER_S, _LEAF)
        # None so far is 0, so that an alert on the first one has something to compare with.
        counts = {PERMISSION_DENIED: 0, **DENIALS.count_by_fault}
        for fault, count in sorted(counts.items()):
            sheet.put(DENIED_CALLS, count, fault)

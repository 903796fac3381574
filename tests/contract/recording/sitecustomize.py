"""Found by Python itself in programs that contract tests start while calls are recorded."""

import os

if os.environ.get("HARNESS_RECORD_CALLS"):
    from tests.contract.conformance import install

    install()

"""Lints and renders a chart by Helm's own engine.

Usage: helm.py CHART VALUES
VALUES are JSON. Prints the documents; fails with what the linter has against it, or with what the values break.
"""

import json
import sys

from helm_python import Chart, lint

# Of helm lint: what it only recommends is less.
WARNING = 2


def main() -> None:
    chart, values = sys.argv[1], json.loads(sys.argv[2])
    files = Chart.load(chart).render(values, name="godwit", namespace="godwit-system", is_install=True)
    report = lint(chart, values, strict=True, namespace="godwit-system")
    wrong = [message for message in report["messages"] if message["severity"] >= WARNING]
    if wrong or report["errors"]:
        sys.exit(f"{wrong} {report['errors']}")
    for name, text in sorted(files.items()):
        if name.endswith(".yaml"):
            print(f"---\n{text}")


main()

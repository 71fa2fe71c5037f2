"""How near the example environments come to Unity's: motion, recordings played again, models trained in Unity.

Recordings and models are looked for in `../shared/data`; what is not there is left out.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
from fidelity_arenas import soccer_rows, tennis_rows
from fidelity_motion import Row, motion_rows
from fidelity_recordings import model_rows, recording_rows
from measure import Figure
from rich.console import Console
from rich.table import Table


def table(rows: list[Row]) -> Table:
    """Return all figures beside Unity's."""
    columns = Table("environment", "figure", title="Fidelity")
    for title in ("Unity", "here", "difference"):
        columns.add_column(title, justify="right")
    columns.add_column("known from")
    for row in rows:
        unity, difference = "", ""
        if row.unity is not None:
            unity, difference = f"{row.unity:.4g}", f"{round(row.here - row.unity, 9) + 0.0:.3g}"
        columns.add_row(row.environment, row.figure, unity, f"{row.here:.4g}", difference, row.source)
    return columns


def main() -> None:
    quick = measure.arguments(__doc__).quick
    rows = [*motion_rows(), *recording_rows(), *model_rows(quick), *tennis_rows(), *soccer_rows()]
    rows.sort(key=lambda row: row.environment)
    Console(width=150).print(table(rows))
    measure.emit("fidelity", [Figure(_name(row), row.here, "") for row in rows])


def _name(row: Row) -> str:
    unity = "" if row.unity is None else f"; Unity {row.unity:.4g}"
    return f"{row.environment}: {row.figure}{unity}"


if __name__ == "__main__":
    main()

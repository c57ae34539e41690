"""datacrumbs_analyze sql."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from datacrumbs.analysis.commands.arguments import add_json, number
from datacrumbs.core.errors import UsageError

_CONFINE: Final = ("SET enable_external_access = false", "SET lock_configuration = true")
"""From here on no statement opens a file, a connection or another database, or takes this back. A query may come from
somebody else's page or script, and shall do no more than to answer
(https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview). What does not fit into memory still goes to
the temporary folder.
"""


class SqlCommand:
    """The rows of an SQL query on a trace, which DuckDB answers.

    The view `calls` has a row for each call: name, cat, layer, host, pid, tid, ts, dur (microseconds), ns, ret, offset,
    count, path. docs/querying.md has the other tables, and examples. A query reaches nothing but these tables: no
    file, no network.
    """

    name = "sql"
    example = (
        "datacrumbs_analyze sql /scratch/traces/4711 'SELECT name, sum(ns) FROM calls GROUP BY name ORDER BY 2 DESC'"
    )

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace (.pfw.gz, .pfw), or a folder of them")
        parser.add_argument("query", metavar="QUERY", help="an SQL statement")
        add_json(parser)
        parser.add_argument(
            "--top", type=number("--top", "rows"), default=1000, metavar="N",
            help="rows of the table; 0: all (default: 1000, JSON: all)",
        )  # fmt: skip

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        import duckdb
        from datacrumbs.analysis.reading.trace import open_traces
        from datacrumbs.analysis.reporters import rows

        with open_traces(args.traces) as traces:
            for statement in _CONFINE:
                traces.database.execute(statement)
            try:
                result = traces.database.execute(args.query)
                if result is None:  # nothing, or a comment alone
                    raise UsageError("the query is empty", "docs/querying.md has the tables and examples")
                if args.json:
                    rows.write_json(result, sys.stdout)
                else:
                    rows.write_table(result, sys.stdout, top=args.top)
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error as error:
                raise UsageError(
                    str(error).partition("\n")[0], "docs/querying.md has the tables and examples"
                ) from error
        return 0

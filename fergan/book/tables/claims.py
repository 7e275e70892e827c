"""Tables of the page that judges the paper's claims."""

import pandas as pd

from fergan.claims.base import VERDICTS

__all__ = ["claims_table", "verdict_counts"]


def verdict_counts(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per word of a verdict: what it means, and how many claims have it."""
    counts = judged["verdict"].value_counts()
    rows = [{"verdict": word, "claims": int(counts.get(word, 0)), "meaning": says} for word, says in VERDICTS.items()]
    return pd.DataFrame(rows)


def claims_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim as the page shows it: claim, where, verdict, finding, and a link to what shows it."""
    return pd.DataFrame({
        "claim": [f"**{row.id}** {row.claim}" for row in judged.itertuples()],
        "where": judged["where"],
        "verdict": [f"**{verdict}**" for verdict in judged["verdict"]],
        "what we found": [f"{row.finding} {_link(row.shown_by)}".strip() for row in judged.itertuples()],
    })


def _link(label: str) -> str:
    if not label:
        return ""
    return f"({{numref}}`{label}`)" if label.startswith(("fig-", "tab-")) else f"({{ref}}`{label}`)"

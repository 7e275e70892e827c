"""Reading a CSV file as text, with errors that name the line."""

import csv
from pathlib import Path

import pandas as pd

__all__ = ["read_csv_table"]


def read_csv_table(csv_path: Path, what: str) -> pd.DataFrame:
    """Read a CSV file (UTF-8, commas, one header line).

    Parameters
    ----------
    csv_path : Path
        The file.
    what : str
        What it should hold, for the errors.

    Returns
    -------
    DataFrame of str
        Stripped text, blank where missing; the index holds line numbers. Blank lines are passed over.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is empty or no CSV file.
    """
    if not csv_path.is_file():
        raise FileNotFoundError(f"{csv_path} is missing; write a CSV with {what}")
    lines, rows = [], []
    try:
        with open(csv_path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [column.strip() for column in next(reader, [])]
            for row in reader:
                if any(value.strip() for value in row):
                    lines.append(reader.line_num)
                    rows.append([value.strip() for value in row])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{csv_path} is not readable as CSV ({error}); save it as UTF-8 with commas") from error
    if not any(header):
        raise ValueError(f"{csv_path} is empty; expected a header line and {what}")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise ValueError(
                f"{csv_path}, line {line}: {len(row)} values for {len(header)} columns; "
                "put values that contain a comma in double quotes"
            )
    return pd.DataFrame(rows, columns=header, index=lines, dtype=str)

"""Several documents of prices as one series."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from optimizer.published import Published, Row, Stated, join, publish

QUARTER = timedelta(minutes=15)
START = datetime(2026, 1, 10, tzinfo=UTC)
Blocks = list[tuple[int, int]]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([1, 2, 4])), min_size=1), min_size=1, max_size=4)
)
def test_of_several_documents_the_later_one_holds_wherever_it_says_something(documents: list[Blocks]) -> None:
    """Against the plain way: each row against each other one."""
    parts, right = list[Published](), list[Row]()
    for number, blocks in enumerate(documents):
        rows, taken = list[Row](), set[int]()
        for first, length in blocks:
            quarters = set(range(first, first + length))
            if not quarters & taken:
                rows.append(Row(0, START + first * QUARTER, float(number), START + (first + length) * QUARTER))
                taken |= quarters
        right = [one for one in right if not any(_meet(one, row) for row in rows)] + rows
        parts.append(publish(rows))
    series = join(parts).series
    assert isinstance(series, Stated)
    assert [*zip(series.starts, series.prices, series.ends, strict=True)] == sorted(
        (one.start, one.price, one.end) for one in right
    )


def _meet(one: Row, other: Row) -> bool:
    assert one.end is not None
    assert other.end is not None
    return one.start < other.end and other.start < one.end

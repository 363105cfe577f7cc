"""The examples of docs/querying.md: what it calls wrong is wrong, what it calls right is right."""

from __future__ import annotations

import re
from decimal import Decimal

from tests.project.desk import Desk
from tests.project.star import PAGE


def examples() -> list[tuple[str, str]]:
    """Return pairs of the wrong and the right query, in the page's order."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    said = [re.match(r"-- (wrong|right)", block) for block in blocks]
    assert [found and found[1] for found in said] == ["wrong", "right"] * (len(blocks) // 2)
    return list(zip(blocks[::2], blocks[1::2], strict=True))


def test_the_right_is_right_and_the_wrong_is_wrong(demo: Desk) -> None:
    by_id, means, product, month = examples()
    ((facts,),) = demo.rows("select count(*) from fact_measurements")

    measurements = [sum(count for _, count in demo.rows(sql)) for sql in by_id]
    assert measurements[0] > measurements[1] == facts

    exact = "select experiment_id, avg(temperature) from fact_measurements group by 1"
    rounded = {name: round(mean, 6) for name, mean in demo.rows(exact)}
    assert dict(demo.rows(means[1])) == rounded
    assert {name: round(Decimal(mean), 6) for name, mean in demo.rows(means[0])} != rounded

    # The demo's weather has no observations: two of the experiment and day of a measurement.
    demo.execute(
        "create table research_warehouse.observed as select experiment_id, date_key from "
        "(select * from research_warehouse.fact_measurements limit 1) m, generate_series(1, 2)"
    )
    wrong, right = (sql.replace("fact_observations", "observed") for sql in product)
    assert demo.rows(wrong)[0][0] > demo.rows(right)[0][0] == facts

    (slow,), (quick,) = demo.rows(month[0]), demo.rows(month[1])
    assert slow == quick
    assert slow[0] > 1000

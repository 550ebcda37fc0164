"""Tables for people with their own tools (Grafana, Power BI, a spreadsheet): plain columns, units in their names.

Written for both databases: `{json}` reads a text out of a message, `{double}` is a number, `{steps}` are those of a
plan, with `{step_at}` and so on in each, and `{items}` the commands of a run.
The migration makes them. They are a contract as the topics are: columns are added, never changed.
"""

VIEWS = {
    "v_power": """
        SELECT site, device, at, twa AS power_w, low AS lowest_w, high AS highest_w, seconds AS covered_s,
            plus * 3600 / nullif(seconds, 0) AS out_w, minus * 3600 / nullif(seconds, 0) AS in_w
        FROM rollup_15m WHERE point = 'p'""",
    "v_energy_15min": """
        SELECT site, device, at, out_wh, in_wh, out_wh - in_wh AS net_wh, seconds AS covered_s, source
        FROM energy WHERE point = 'p'""",
    "v_hybrid_pv_15min": """
        SELECT site, device, at, out_wh AS pv_wh, seconds AS covered_s, source
        FROM energy WHERE point = 'pv_p'""",
    "v_soc": """
        SELECT site, device, at, last AS soc_percent, low AS lowest_percent, high AS highest_percent
        FROM rollup_15m WHERE point = 'soc'""",
    "v_points_15min": """
        SELECT site, device, point, at, samples, low, mean, high, last FROM rollup_15m""",
    "v_points_1h": """
        SELECT site, device, point, at, samples, low, mean, high, last FROM rollup_1h""",
    "v_flows_15min": """
        SELECT site, at, pv_load AS pv_to_load_wh, pv_battery AS pv_to_battery_wh, pv_grid AS pv_to_grid_wh,
            grid_load AS grid_to_load_wh, grid_battery AS grid_to_battery_wh,
            battery_load AS battery_to_load_wh, battery_grid AS battery_to_grid_wh
        FROM flow""",
    "v_loads_15min": """
        SELECT site, device, at, used AS used_wh, behind FROM load_energy""",
    "v_alarms": """
        SELECT site, alarm, at, state, priority, {json}(body, '$.device') AS device,
            {json}(body, '$.point') AS point, {json}(body, '$.text') AS text, {json}(body, '$.since') AS since
        FROM alarm""",
    "v_commands": """
        SELECT c.site, c.device, c.at, c.id, c.until, c.source, c.authority,
            CAST({json}(c.body, '$.values.p_set') AS {double}) AS wanted_w, {json}(c.body, '$.reason') AS reason,
            o.at AS outcome_at, o.state AS outcome, {json}(o.body, '$.reason') AS outcome_reason, {day} AS day
        FROM command c LEFT JOIN outcome o ON o.site = c.site AND o.device = c.device AND o.id = c.id
        UNION ALL
        SELECT r.site, r.device, {run_at}, {run_id}, {run_until}, r.source, r.authority, {run_wanted},
            coalesce({run_reason}, r.reason), {run_outcome_at}, {run_outcome},
            CASE WHEN {run_outcome} IS NOT NULL THEN coalesce({run_outcome_reason}, '') END, r.day
        FROM run r JOIN {items}""",
    "v_forecasts": """
        SELECT p.site, {step_at} AS at, p.at AS made_at, p.id AS plan, {step_seconds} AS covers_s,
            {step_load} AS load_w, {step_pv} AS pv_w,
            4 * (f.pv_load + f.grid_load + f.battery_load) AS measured_load_w,
            4 * (f.pv_load + f.pv_battery + f.pv_grid) AS measured_pv_w
        FROM plan p JOIN {steps} LEFT JOIN flow f ON f.site = p.site AND f.at = {step_at}""",
    "v_money_15min": """
        SELECT site, at, imported AS import_wh, exported AS export_wh, pv AS pv_wh, battery AS battery_wh,
            imported - exported + pv + battery AS load_wh,
            energy AS energy_cost, demand AS demand_cost, wear AS wear_cost,
            energy_without AS energy_cost_without, demand_without AS demand_cost_without,
            energy_without + demand_without - energy - demand - wear AS saved, stored AS stored_worth,
            carbon AS co2_g, carbon_without AS co2_g_without, planned AS planned_cost,
            energy + demand + wear - planned AS dearer, forecast AS by_forecast, derate AS by_derate,
            grid_limit AS by_limit, lost AS by_lost, clamp AS by_clamp, operator AS by_operator, unknown AS by_unknown
        FROM money""",
    "v_money_daily": """
        SELECT site, at, day, currency, quarters, compared, imported AS import_wh, exported AS export_wh, pv AS pv_wh,
            `load` AS load_wh,
            CASE WHEN imported > `load` THEN 0 ELSE 1 - imported / NULLIF(`load`, 0) END AS autarky,
            CASE WHEN exported > pv THEN 0 ELSE 1 - exported / NULLIF(pv, 0) END AS self_consumption,
            energy AS energy_cost, demand AS demand_cost, wear AS wear_cost,
            energy_without AS energy_cost_without, demand_without AS demand_cost_without,
            saved, stored AS stored_worth, carbon AS co2_g, carbon_without AS co2_g_without,
            planned_quarters, planned AS planned_cost, forecast AS by_forecast, derate AS by_derate,
            grid_limit AS by_limit, lost AS by_lost, clamp AS by_clamp, operator AS by_operator, unknown AS by_unknown
        FROM money_day""",
    "v_gaps": """
        SELECT site, device, at, expected, stored, expected - stored AS missing, cause, closed FROM gap""",
}
"""By name, the question each one asks."""

SINCE = {
    "v_loads_15min": "0003",
    **dict.fromkeys(("v_power", "v_energy_15min", "v_hybrid_pv_15min"), "0005"),
    **dict.fromkeys(("v_money_15min", "v_money_daily"), "0006"),
    **dict.fromkeys(("v_commands", "v_forecasts"), "0007"),
}
"""The migration that makes it as it is now, where that is not the first."""

_SQLITE_MOMENT = """strftime('%Y-%m-%d %H:%M:%S', r.at, (({0}) / 1000000) || ' seconds')
    || printf('.%06d', ({0}) % 1000000)"""
_SQLITE_STEP = """CASE WHEN json_type(s.value) = 'object'
    THEN substr(replace(replace(json_extract(s.value, '$.at'), 'T', ' '), 'Z', '') || '.000000', 1, 26)
    ELSE strftime('%Y-%m-%d %H:%M:', json_extract(p.body, '$.since'), ({0}) || ' seconds')
        || printf('%09.6f', ({0}) % 60 + ({0}) - CAST({0} AS INTEGER)) END"""
_SQLITE = {
    "json": "json_extract",
    "double": "REAL",
    "day": "substr(c.at, 1, 10)",
    "items": "json_each(r.items) i LEFT JOIN json_each(i.value, '$[3]') o",
    "run_at": _SQLITE_MOMENT.format("json_extract(i.value, '$[1]')"),
    "run_id": "r.prefix || json_extract(i.value, '$[0]')",
    "run_until": _SQLITE_MOMENT.format("json_extract(i.value, '$[1]') + CAST(round(r.seconds * 1000000) AS INTEGER)"),
    "run_wanted": "json_extract(i.value, '$[2]')",
    "run_reason": "json_extract(i.value, '$[4]')",
    "run_outcome_at": _SQLITE_MOMENT.format("json_extract(i.value, '$[1]') + json_extract(o.value, '$[1]')"),
    "run_outcome": "json_extract(o.value, '$[0]')",
    "run_outcome_reason": "json_extract(o.value, '$[2]')",
    "steps": "json_each(p.body, '$.steps') s",
    # a moment as it stands in the other tables, also one without a fraction of a second
    "step_at": _SQLITE_STEP.format("coalesce(json_extract(s.value, '$[2]'), s.key * 900)"),
    "step_seconds": "coalesce(json_extract(s.value, '$.seconds'), json_extract(s.value, '$[3]'), 900.0)",
    "step_load": "coalesce(json_extract(s.value, '$.load'), json_extract(s.value, '$[0]'))",
    "step_pv": "coalesce(json_extract(s.value, '$.pv'), json_extract(s.value, '$[1]'))",
}
_MARIADB = {
    "json": "json_value",
    "double": "DOUBLE",
    "day": "CAST(CAST(c.at AS DATE) AS CHAR)",
    "items": """JSON_TABLE(r.items, '$[*]' COLUMNS (id VARCHAR(64) PATH '$[0]', after BIGINT PATH '$[1]',
        wanted DOUBLE PATH '$[2]', reason VARCHAR(1000) PATH '$[4]', NESTED PATH '$[3][*]' COLUMNS (
        state VARCHAR(64) PATH '$[0]', came BIGINT PATH '$[1]', why VARCHAR(4000) PATH '$[2]'))) i""",
    "run_at": "r.at + INTERVAL i.after MICROSECOND",
    "run_id": "concat(r.prefix, i.id)",
    "run_until": "r.at + INTERVAL (i.after + round(r.seconds * 1000000)) MICROSECOND",
    "run_wanted": "i.wanted",
    "run_reason": "i.reason",
    "run_outcome_at": "r.at + INTERVAL (i.after + i.came) MICROSECOND",
    "run_outcome": "i.state",
    "run_outcome_reason": "i.why",
    "steps": """JSON_TABLE(p.body, '$.steps[*]' COLUMNS (place FOR ORDINALITY, began VARCHAR(40) PATH '$.at',
        long_seconds DOUBLE PATH '$.seconds', long_load DOUBLE PATH '$.load', long_pv DOUBLE PATH '$.pv',
        load_w DOUBLE PATH '$[0]', pv_w DOUBLE PATH '$[1]', after DECIMAL(20, 6) PATH '$[2]',
        seconds DOUBLE PATH '$[3]')) s""",
    "step_at": """coalesce(CAST(replace(replace(s.began, 'T', ' '), 'Z', '') AS DATETIME(6)),
        CAST(json_value(p.body, '$.since') AS DATETIME(6))
        + INTERVAL coalesce(s.after, (s.place - 1) * 900) * 1000000 MICROSECOND)""",
    "step_seconds": "coalesce(s.long_seconds, s.seconds, 900.0)",
    "step_load": "coalesce(s.long_load, s.load_w)",
    "step_pv": "coalesce(s.long_pv, s.pv_w)",
}


def since(revision: str) -> list[str]:
    """The views that can be made as they are now after this migration, and not before."""
    return [name for name in VIEWS if SINCE.get(name, "0001") == revision]


def statements(dialect: str, revision: str) -> list[str]:
    """What makes the views of a migration in a database. `dialect`: sqlite or mariadb."""
    sqlite = dialect == "sqlite"
    words = _SQLITE if sqlite else _MARIADB
    # whoever asks a view needs the right to read its tables: a dump can then be restored by anybody
    create = "CREATE VIEW IF NOT EXISTS" if sqlite else "CREATE OR REPLACE SQL SECURITY INVOKER VIEW"
    return [f"{create} {name} AS {' '.join(VIEWS[name].format_map(words).split())}" for name in since(revision)]

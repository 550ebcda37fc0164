"""Tables for people with their own tools (Grafana, Power BI, a spreadsheet): plain columns, units in their names.

Written for both databases: `{json}` reads a text out of a message, `{double}` is a number.
The migration makes them. They are a contract as the topics are: columns are added, never changed.
"""

VIEWS = {
    "v_power": """
        SELECT site, device, at, twa AS power_w, low AS lowest_w, high AS highest_w, seconds AS covered_s
        FROM rollup_15m WHERE point = 'p'""",
    "v_energy_15min": """
        SELECT site, device, at, plus AS out_wh, minus AS in_wh, plus - minus AS net_wh, seconds AS covered_s
        FROM rollup_15m WHERE point = 'p'""",
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
    "v_alarms": """
        SELECT site, alarm, at, state, priority, {json}(body, '$.device') AS device,
            {json}(body, '$.point') AS point, {json}(body, '$.text') AS text, {json}(body, '$.since') AS since
        FROM alarm""",
    "v_commands": """
        SELECT c.site, c.device, c.at, c.id, c.until, c.source, c.authority,
            CAST({json}(c.body, '$.values.p_set') AS {double}) AS wanted_w, {json}(c.body, '$.reason') AS reason,
            o.at AS outcome_at, o.state AS outcome, {json}(o.body, '$.reason') AS outcome_reason
        FROM command c LEFT JOIN outcome o ON o.site = c.site AND o.device = c.device AND o.id = c.id""",
    "v_gaps": """
        SELECT site, device, at, expected, stored, expected - stored AS missing, cause, closed FROM gap""",
}
"""By name, the question each one asks."""


def statements(dialect: str) -> list[str]:
    """What makes all views in a database. `dialect`: sqlite or mariadb."""
    sqlite = dialect == "sqlite"
    words = {"json": "json_extract" if sqlite else "json_value", "double": "REAL" if sqlite else "DOUBLE"}
    # whoever asks a view needs the right to read its tables: a dump can then be restored by anybody
    create = "CREATE VIEW IF NOT EXISTS" if sqlite else "CREATE OR REPLACE SQL SECURITY INVOKER VIEW"
    return [f"{create} {name} AS {' '.join(asks.format_map(words).split())}" for name, asks in VIEWS.items()]

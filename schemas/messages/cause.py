"""Why something was refused, limited or is in trouble."""

from enum import StrEnum


class Cause(StrEnum):
    """Why something was refused, limited or is in trouble: what programs read. The reason beside it is for people.

    On the wire any name may come: a newer bridge knows more causes than an older reader.
    """

    # a command or a request is not followed
    INVALID = "invalid"  # it cannot be read, or says something that cannot be
    READ_ONLY = "read_only"
    RETAINED = "retained"
    EXPIRED = "expired"
    CLOCK_SKEW = "clock_skew"  # two clocks differ by more than any delay explains
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    BEFORE_START = "before_start"
    QUEUE_FULL = "queue_full"
    TOO_OFTEN = "too_often"
    FOREIGN_SOURCE = "foreign_source"
    SIGNATURE = "signature"
    AUTHORITY = "authority"  # somebody stronger holds it, or the source may not claim so much
    UNKNOWN = "unknown"  # there is no such point, action, device or alarm
    OUT_OF_RANGE = "out_of_range"
    WRONG_STATE = "wrong_state"  # not in this state of the device, the mode or the alarm
    LOCAL = "local"  # it is steered at its own panel
    INTERLOCK = "interlock"
    WRITE_BUDGET = "write_budget"
    NEWER_COMMAND = "newer_command"
    NO_COMMAND = "no_command"  # no valid command is left: the device goes to its fallback
    STOPPING = "stopping"  # the bridge ends in good order

    # between the bridge and a device
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    LEFT_ALONE = "left_alone"  # it cannot be written, and is not even read, so that its own watchdog bites
    MISSING_POINTS = "missing_points"
    DOUBTED_VALUES = "doubted_values"
    CRITICAL_POINT = "critical_point"  # what the guard needs is absent or doubted
    FROZEN = "frozen"
    NOT_HELD = "not_held"  # the register reads back something else
    WORN = "worn"  # a register that wears was written too often: it rests at 0 until its budget allows more
    FOREIGN_WRITE = "foreign_write"
    NOT_OBEYED = "not_obeyed"  # the measured power does not follow
    REVERSED = "reversed"  # it flows in the other direction
    TRIPPED = "tripped"  # the PCS is in fault
    WATCHDOG = "watchdog"  # the device's own is not armed
    METER_POLARITY = "meter_polarity"  # the meter does not show the battery's steps as it should
    SWINGING = "swinging"  # the closed loop swings at constant load
    BMS_MISSING = "bms_missing"
    METER_MISSING = "meter_missing"

    # a part of joulebus
    CLOCK_STEP = "clock_step"
    CLOCK_QUARANTINE = "clock_quarantine"  # the archive keeps samples aside whose time cannot be right
    OUTBOX = "outbox"
    SECOND_INSTANCE = "second_instance"
    NOT_ARCHIVED = "not_archived"
    BACKLOG = "backlog"  # what was read waits for the archive's word for more than a minute
    DATABASE = "database"  # it cannot be reached, for more than half a minute
    DISK = "disk"  # a disk on which something is kept is nearly full
    CERTIFICATE = "certificate"  # one of the connection to the broker ends within 14 days, or has ended
    UPKEEP = "upkeep"  # the archive stores, but its rollups, gaps or retention do not come to an end
    TARIFF = "tariff"  # it cannot be read: nothing is planned, and no peak is kept down
    NO_PLAN = "no_plan"  # none is valid, and none comes: the batteries go by self-consumption
    PLAN_FAILS = "plan_fails"  # new ones are refused or not made, for one reason again and again; the last one goes on
    PRICES = "prices"  # some are missing: told from other days, or the outermost of the tariff
    LIMIT_NOT_HELD = "limit_not_held"  # the grid meter stands beyond a limit of the connection point
    BALANCE_IMPLAUSIBLE = "balance_implausible"  # the loads that are measured draw more than comes into the site
    ALARM_RULE = "alarm_rule"  # one of the site file is refused; the others run
    BROKER_REFUSES = "broker_refuses"
    BROKER_LOST = "broker_lost"  # the part that watches over the alarms has no connection to it
    ALARM_EFFECT = "alarm_effect"  # an alarm of the site file that should drive control is refused: it holds nothing
    NOTIFY_FAILS = "notify_fails"  # a channel that tells people of alarms does not take its messages

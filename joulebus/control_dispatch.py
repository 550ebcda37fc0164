"""The page about control: how dispatch decides on the powers of batteries and PV, and how the meter is tried."""

from bridges.control.meter_trial import FROM, LETS_BE, NOTHING, PEACE, SHARE, VAIN, Loop
from optimizer import dispatch, grid_target, meter_doubt, running_step, without_policy

CURTAILED = """\
PV that can be limited (`p_limit_pct`) is curtailed when more would be fed in than may be, or when the plan's step
pays less than nothing for it. The batteries take first. Dispatch tells each inverter the same share of its rated
power, down at once and up by 10 % in 10 s; what an inverter in the shade leaves, or one that does not obey takes,
is shared by the others. A curtailed PV hides the surplus that a battery could store. So the batteries charge ahead of
it, with up to 10 % of the PV's rating from the grid for some seconds, and PV follows what they take: nothing waits for
the meter, and what a battery does not take is not fed in. While PV is held at what the site takes, no battery covers
the load beside it; a plan that sells, a power by hand and the month's peak stand before.

The tolerance is 1 % of the rated PV power. A meter that is late, or an inverter that is slow, moves nothing at a
constant load; a step of the load is answered when the meter shows it. Without dispatch, or the meter, each inverter
gives what all of them may feed in without any load (`pv_fallback`): 0 where `export_limit` is 0. That is so, too,
where no bridge has moved it before."""


REACTIVE = """\
What the network operator wants (`[grid.reactive]`) is shared by the inverters of batteries and PV in proportion to
the room that their active power leaves of the S-circle; it never takes active power away. One that takes a power
factor only (`pf_set`) is told the factor that gives its part at its power of now, 0.8 at least: without active power
it gives none. A register of a power factor is coarse: near to its part it stays, and those told in var do the rest.
An inverter that is off, asleep or silent takes no part. One that gives something else than what it was told in the
last minute is named; it counts with what it gives, and the others give the rest. Without a valid command each goes to
its profile's fallback, 0 var or a factor of 1; without its bridge to what its own reversion timer brings, where the
installer has set one.

Positive feeds var in (over-excited), whichever way active power flows. SunSpec's model 123 counts a power factor by
the EEI, the other way round."""


POLICY = f"""\
A plan says what the battery is to give for whatever the load less PV turns out to be (`policy`), and the highest
window mean that is meant to be let pass (`cap`). Dispatch decides each 2 s:

- **The load of the step**: what was seen of it, and for the rest the present load, smoothed over
  {running_step.SMOOTH:g} s: a motor that starts is no news of the next ten minutes. The policy at that mean says what
  the grid is to carry.
- **Nothing, or one side whole** (it covers the load, stores PV): the measured load is followed second by second. An
  error of the forecast neither buys nor sells energy; with the load the other way round than the mean, the policy at
  the load of now counts.
- **A part**: the policy's power; what was given less or more so far is made up for over {grid_target.PATIENCE:g} s at
  least, and with twice that power at most.
- **A billed peak**: the mean of the window counts, not the power. What the window drew so far and the smoothed load
  say what the battery must give for the rest of it. A load that needs more than {grid_target.CALM:.0%} of what the
  battery has is answered faster, one that needs all of it within {running_step.QUICK:g} s; in the last
  {grid_target.ENDING:g} s the load of now counts. It aims {grid_target.MARGIN:.1%} below the peak. The room is what is
  billed already, or what the policy means where that is more: where the policy lets the peak rise, because its energy
  is worth more later or the battery has no more, it is not emptied for it.
- **Other demands**, and windows of 30 or 60 minutes or that slide, are held at the plan's peak in their own windows, of
  those that slide each part, and at the last planned one when no plan is valid: a policy knows
  quarter hours only, and what one of them leaves the others may draw. Limits of battery and grid
  connection stand above all.
- **From plan to plan** a step begins anew: the new plan knows what the window had before. Where two powers cost the
  same, the one of the first {grid_target.TIE:g} s of a quarter hour goes on. Setpoints closer than
  {dispatch.DEADBAND:.1%} of the rating are the same, but at the end of a window. A plan that is late leaves its next
  steps for an hour, then the battery covers the load, holds the billed peak and keeps
  {without_policy.RESERVE:.0%} of its energy for it.

What a window has drawn is kept on the disk each minute: a restart knows it, also without the word of what is billed.
What nobody saw gives no room: it counts as the peak, or the load of now, of then or of when it was seen again,
whichever is most, and the reason says so. After a second silence in one window room is left for a third. A clock that
is set back goes on with the window it comes back to. A plan that cannot be read, as with a policy that does not rise,
is said, and the last one goes on.

The reason says what binds: `holds 448 kW mean of 17:15-17:30; 10 EUR/kW`. A meter that is late makes no swing, or one
where it is later than was known, up to 30 s: the load is told from readings and setpoints that belong together
([closed-loop.md](closed-loop.md)). While its measured delay goes to and fro by {meter_doubt.JUMP:g} s or more, or is
{meter_doubt.JUMP:g} s or more for good, the mean that it shows of a window is not the true one,
and dispatch aims lower by what it may be off. Flexible loads give
way by what is left when the meter will have shown what batteries and loads have done already."""

TRIALS = f"""\
Only steps of the battery show which way round the grid meter is. A battery that does all it can, while the meter asks
for still more, makes none. So where the batteries together stand still at {FROM:.0%} of their rating or more and the
meter asks for more, they give up to {SHARE:.0%} of their rating less for some seconds, towards 0 and along the ramp,
and then all again, until the means of what the meter shows tell which way round it is: `meter:trial`. Two steps are
enough at a load that rests, a restless one takes more; each lasts for another time, so that no machine is in step.
The right sign ends a trial, the wrong one the closed loop; what shows neither after {VAIN} steps names nobody.

The meter asks for more beyond a limit of the site: then the next trial comes {PEACE / 60:.0f} minutes later at the
earliest, and later each time that one has shown nothing. Within the limits it asks for more when dispatch has followed
it to the end of what the battery may do: then it is tried when no step has shown the right sign for
{LETS_BE[Loop.END][NOTHING] / 60:.0f} minutes, and only as far as the limit is kept. A register whose writes are counted
(flash) is not tried: each trial is two writes and more. Who steers by hand is not disturbed, as long as no limit of the
site moves the battery."""

SECTIONS = [
    "## A plan's policy",
    POLICY,
    "## Curtailed PV",
    CURTAILED,
    "## Reactive power",
    REACTIVE,
    "## Trials of the meter",
    TRIALS,
]
"""Of the page, in their order."""

"""The dynamic program: loops over arrays, for numba. Units are kW, kWh, h and the plan's currency.

    V(t,z,M,E) = sum_e w_e min_b { cost(t, net, b) + sum_z' P(z,z') V(t+1, z', max(M, mean), E') }
    net = max(forecast + spread (SLOW z + FAST e), LOWEST)
    grid = net + b       mean = OFFSET + SHARE max(grid, 0)
    E' = E + h (eta max(b,0) - max(-b,0) / eta)

z is the slow error (a Markov chain), e the fast one, M the highest billed mean so far, E the stored energy, and b what
the battery takes. b is chosen when net is known: the battery reacts within the window. Between nodes V is straight.
By charging no mean passes max(M, UPTO), and no grid power REACH, but for what leads to no more than NEEDED.

For one net and one b the cost, the mean and the move along E are the same for all M and E, so they are taken at once:
the rows of E lie one after the other in one flat array, with room between them that is dearer than anything, and b is a
shift of the whole. Where the mean passes M, one row holds for all lower M. The compiler makes vector instructions of
loops over slices, not of an index such as `row[i + shift]`.

`backward` is one long function for a reason: cut into parts its inner loops are no longer compiled into one piece, and
a plan takes half as long again (25 ms instead of 16). All of it stands in one file for another: the cache of machine
code is made anew when the file of a function changes, and not when one it calls does.
"""

import numpy as np
from numba import float32, float64, int64, void
from numpy.typing import NDArray

from optimizer.policy.compiled import compiled

Array = NDArray[np.float32]

SLOW, FAST = 0.85, 0.55
"""Parts of the spread that last for hours and for one step: together a little more than 1, measured in closed loop."""
FAST_NODES = np.array([-1.732, 0.0, 1.732], dtype=np.float32)
FAST_WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6], dtype=np.float32)
"""The normal law in three points: the same mean, spread, skew and kurtosis."""

COLUMNS = range(18)
(
    NET, SPREAD, HOURS, BUY, SELL, CHARGE, DISCHARGE, INTO, OUT, GIVES_WAY, OFFSET, SHARE, PERIOD, WEAR, LOWEST, UPTO,
    REACH, NEEDED,
) = COLUMNS  # fmt: skip
"""Of `steps`: see model.py."""


ZERO, ONE = np.float32(0), np.float32(1)
DEAR = np.float32(1e30)
"""Where the battery cannot go."""
NEVER = 1e-7
"""A chance that is none."""
TRIED = 80
"""Even powers that are tried in an answer, beside those at which something bends."""
FEW = 1e-5
"""Per kWh: of two powers that cost the same the one that moves less."""


@compiled()
def _cost(step, hinges, net, taken):
    """What a step costs while the battery takes so much: energy, wear, and what passes a limit."""
    grid = net + taken
    drawn, fed_in = max(grid, ZERO), max(-grid, ZERO)
    # PV that gives way is curtailed beyond the limit, and first of all where feed-in costs money
    beyond = max(fed_in - step[OUT], ZERO)
    surplus = max(-net - step[OUT], ZERO)
    if step[SELL] < 0:
        beyond = min(fed_in, surplus)
    paid = fed_in - step[GIVES_WAY] * beyond
    found = step[HOURS] * (step[BUY] * drawn - step[SELL] * paid + step[WEAR] * max(-taken, ZERO))
    for number in range(hinges.shape[0]):
        found = found + hinges[number, 1] * max(grid - hinges[number, 0], ZERO)
    return found


@compiled()
def _lower(best, low, row, begin, part, more, count):
    """Takes what is less: `best` from `low` on, or `row` from `begin` on, a part of a node further, and `more`."""
    found, one, other = best[low : low + count], row[begin : begin + count], row[begin + 1 : begin + 1 + count]
    for i in range(count):
        found[i] = min(found[i], more + (ONE - part) * one[i] + part * other[i])


@compiled()
def _lower_between(best, low, row, one, two, over, shift, part, more, count):
    """The same with a row between two others."""
    found, first, second = (
        best[low : low + count],
        row[one + shift : one + shift + count],
        row[two + shift : two + shift + count],
    )
    third, fourth = row[one + shift + 1 : one + shift + 1 + count], row[two + shift + 1 : two + shift + 1 + count]
    a, b, c, d = (ONE - over) * (ONE - part), over * (ONE - part), (ONE - over) * part, over * part
    for i in range(count):
        found[i] = min(found[i], more + a * first[i] + b * second[i] + c * third[i] + d * fourth[i])


@compiled()
def _lowest(own, others, below, total, weight):
    """Adds what is less of `own` and `others`; hands `others` on to the next lower peak, `below`."""
    for i in range(own.shape[0]):
        total[i] += weight * min(own[i], others[i])
        below[i] = min(below[i], others[i])


@compiled()
def _add(total, part, row):
    """Adds a part of a row."""
    for i in range(total.shape[0]):
        total[i] += part * row[i]


@compiled()
def _band(able, taken, shift, part):
    """The first of the nodes of E from which a power is possible, and their number: where it leads the cells must be
    able to do so much. All of them where nothing is taken or the rating alone limits."""
    room, way, power = able.shape[1], 0 if taken > 0 else 1, abs(taken)
    low, high = 0, room - 1
    if power > 0:
        while low < room and able[way, low] < power:
            low += 1
        while high > low and able[way, high] < power:
            high -= 1
    if low == 0 and high == room - 1:
        return 0, room
    first = max(low - shift, 0)
    return first, min(high - shift - (1 if part > 0 else 0), room - 1) - first + 1


@compiled(
    void(
        float32[:, ::1], float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1],
        float32[::1], float32[::1], float32[:, :, ::1], float32[:, ::1], float32, float32[:, :, :, ::1],
    )
)  # fmt: skip
def backward(
    steps: Array,
    hinges: Array,
    peaks: Array,
    worth: Array,
    steep: Array,
    missing: Array,
    energies: Array,
    slow: Array,
    moves: Array,
    able: Array,
    efficiency: np.float32,
    value: Array,
) -> None:
    """Fills `value` (step, slow error, peak, energy) from its last step, which is given, back to the first.

    `steps`: one row a step, its columns above. `hinges`: by step pairs of a grid power and what each kW beyond costs.
    `peaks`: M by period and node; `worth` what each costs when its period ends; `steep` the price per kW beyond the
    highest. `missing`: by step and node of E what a reserve that lacks energy or room costs. `energies`: even nodes of
    E. `slow`: nodes of z, `moves` their probabilities (step, from, to). `able`: kW that may be charged
    and discharged by the node that they lead to, as the cells taper.
    """
    levels, room = peaks.shape[1], energies.shape[0]
    gap = energies[1] - energies[0]
    mean = np.empty(levels * room, dtype=np.float32)
    tried = np.empty(4 * room + levels + hinges.shape[1] + 12, dtype=np.float32)
    for t in range(steps.shape[0] - 1, -1, -1):
        step, hours, period = steps[t], steps[t, HOURS], int(steps[t, PERIOD])
        ends = t + 1 < steps.shape[0] and int(steps[t + 1, PERIOD]) != period
        level = peaks[period]
        resting = _cost(step, hinges[t], step[NET], ZERO)
        into, out = gap / (hours * efficiency), gap * efficiency / hours
        far = max(step[CHARGE] / into, step[DISCHARGE] / out)
        margin = int(min(far, np.float32(room))) + 2
        reserved = int(np.floor((step[NEEDED] - energies[0]) / gap + np.float32(1e-2)))
        width = room + margin
        ahead = np.full(margin + levels * width, DEAR)
        best = np.empty_like(ahead)
        above = np.empty((levels + 1) * room + 1, dtype=np.float32)
        for z in range(slow.shape[0]):
            mean[:] = 0
            for to in range(slow.shape[0]):
                if moves[t, z, to] > NEVER:
                    _add(mean, moves[t, z, to], value[t + 1, to].reshape(-1))
            for m in range(levels):
                # where a period ends its peak is paid, and the next one begins with the lowest
                begin, of, paid = margin + m * width, 0 if ends else m, worth[period, m] if ends else ZERO
                for i in range(room):
                    ahead[begin + i] = mean[of * room + i] + paid + missing[t, i]
            value[t, z] = 0
            for e in range(FAST_NODES.shape[0]):
                net = step[NET] + step[SPREAD] * (np.float32(SLOW) * slow[z] + np.float32(FAST) * FAST_NODES[e])
                net = max(net, step[LOWEST])
                most = min(step[CHARGE], max(step[INTO] - net, ZERO))
                least = -min(step[DISCHARGE], max(step[OUT] + net, ZERO))
                tried[0], tried[1], tried[2], tried[3], tried[4], n = ZERO, most, least, -net, -net - step[OUT], 5
                if step[REACH] < DEAR:
                    tried[n], n = step[REACH] - net, n + 1
                if step[UPTO] < DEAR and step[SHARE] > 0:
                    tried[n], n = (step[UPTO] - step[OFFSET]) / step[SHARE] - net, n + 1
                for k in range(1, margin):
                    tried[n], tried[n + 1], n = k * into, -k * out, n + 2
                for k in range(hinges.shape[1]):
                    tried[n], n = hinges[t, k, 0] - net, n + 1
                for i in range(room):  # less than from node to node
                    if able[0, i] < min(into, most):
                        tried[n], n = able[0, i], n + 1
                    if able[1, i] < min(out, -least):
                        tried[n], n = -able[1, i], n + 1
                peaks_from = n
                for m in range(levels if step[SHARE] > 0 else 0):
                    tried[n], n = (level[m] - step[OFFSET]) / step[SHARE] - net, n + 1
                best[:], above[:] = DEAR, DEAR
                for c in range(n):
                    taken = tried[c]
                    if taken < least or taken > most:
                        continue
                    spent = _cost(step, hinges[t], net, taken) - resting
                    moved = hours * (taken * efficiency if taken > 0 else taken / efficiency) / gap
                    shift = int(np.floor(moved + np.float32(1e-4)))
                    if shift < -margin or shift > margin - 2:
                        continue  # further than from empty to full
                    part = max(moved - np.float32(shift), ZERO)
                    if part < 1e-3:
                        part = ZERO
                    first, count = _band(able, taken, shift, part)
                    # of these those that a reserve needs, where a charge goes beyond its bound
                    short = reserved - shift - (1 if part > 0 else 0) - first + 1
                    if taken > 0 and net + taken > step[REACH] + np.float32(1e-3):
                        count = min(count, short)
                    if count <= 0:
                        continue
                    drawn, passed = step[OFFSET] + step[SHARE] * max(net + taken, ZERO), 0
                    while step[SHARE] > 0 and passed < levels and level[passed] < drawn - np.float32(1e-3):
                        passed += 1
                    bold = taken > 0 and drawn > step[UPTO] + np.float32(1e-3)
                    if passed < levels:
                        # up to a peak: it bends there for this M and those below, not for those above
                        low, rows = margin + passed * width + first, 1 if c >= peaks_from else levels - passed
                        if count == room:
                            _lower(best, low, ahead, low + shift, part, spent, rows * width - margin)
                        else:
                            for begin in range(low, low + rows * width, width):
                                _lower(best, begin, ahead, begin + shift, part, spent, count)
                    if bold:  # where M is lower it would be a new peak: for a reserve only
                        count = min(count, short)
                        if count <= 0:
                            continue
                    if passed > 0 and passed < levels and c >= peaks_from:
                        _lower(above, passed * room + first, ahead, low + shift, part, spent, count)
                    elif passed > 0:
                        last, after, over = margin + (passed - 1) * width + first, margin + passed * width + first, ZERO
                        more = spent
                        if passed == levels:
                            after, more = last, spent + steep[period] * (drawn - level[levels - 1])
                        else:
                            over = (drawn - level[passed - 1]) / max(
                                level[passed] - level[passed - 1], np.float32(1e-6)
                            )
                        _lower_between(above, passed * room + first, ahead, last, after, over, shift, part, more, count)
                for m in range(levels - 1, -1, -1):
                    row = best[margin + m * width : margin + m * width + room]
                    _lowest(row, above[(m + 1) * room :], above[m * room :], value[t, z, m], FAST_WEIGHTS[e])


@compiled()
def _later(value, worth, ends, chances, m, over, i, part):
    """The value after a step between two nodes of the peak and two of the energy, over the chances of the error."""
    found = 0.0
    for to in range(chances.shape[0]):
        if chances[to] > NEVER:
            here, up = value[to, 0 if ends else m], value[to, 0 if ends else min(m + 1, value.shape[1] - 1)]
            low = (1 - part) * here[i] + part * here[i + 1]
            high = (1 - part) * up[i] + part * up[i + 1]
            found += chances[to] * ((1 - over) * low + over * high)
    if ends:
        found += (1 - over) * worth[m] + over * worth[min(m + 1, worth.shape[0] - 1)]
    return found


@compiled(
    void(
        float32[:, ::1], float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1],
        float32[::1], float32[::1], float32[:, :, ::1], float64, float32[:, :, :, ::1],
        int64, float64, float64, float64, float64, float64, float64[::1], float64[:, ::1],
    )
)  # fmt: skip
def forward(
    steps: Array,
    hinges: Array,
    peaks: Array,
    worth: Array,
    steep: Array,
    missing: Array,
    energies: Array,
    slow: Array,
    moves: Array,
    efficiency: float,
    value: Array,
    t: int,
    energy: float,
    peak: float,
    charge: float,
    discharge: float,
    outside: float,
    nets: NDArray[np.float64],
    answer: NDArray[np.float64],
) -> None:
    """The best b at each of `nets` in step `t`, by one look ahead into `value`; fills `answer` with b and the
    peak after it.

    `energy` and `peak` at the begin of the step; `charge` and `discharge` what is left to the battery; `outside` is
    paid per kWh that is left outside of the nodes of E.
    The error that is seen is taken for a slow one. Of powers that cost the same the one that moves least.
    """
    step, period, levels, room = steps[t], int(steps[t, PERIOD]), peaks.shape[1], energies.shape[0]
    level, hours = peaks[period], float(step[HOURS])
    ends = t + 1 < steps.shape[0] and int(steps[t + 1, PERIOD]) != period
    bottom, top = float(energies[0]), float(energies[room - 1])
    gap = (top - bottom) / (room - 1)
    chances = np.empty(slow.shape[0])
    for number in range(nets.shape[0]):
        net = nets[number]
        fits = max(top - energy, 0.0) / efficiency / hours
        there = max(energy - bottom, 0.0) * efficiency / hours
        most = min(float(step[CHARGE]), charge, fits, max(float(step[INTO]) - net, 0.0))
        least = -min(float(step[DISCHARGE]), discharge, there, max(float(step[OUT]) + net, 0.0))
        sure, at = SLOW * float(step[SPREAD]), (slow.shape[0] - 1) / 2
        if sure > 0:
            at = min(max((net - float(step[NET])) / sure, float(slow[0])), float(slow[-1])) - float(slow[0])
            at = at / float(slow[1] - slow[0])
        left = min(int(at), slow.shape[0] - 2)
        for to in range(slow.shape[0]):
            chances[to] = (left + 1 - at) * moves[t, left, to] + (at - left) * moves[t, left + 1, to]
        cheapest = float(DEAR)
        for c in range(TRIED + levels + hinges.shape[1] + 6):
            if c == 0:
                taken = 0.0
            elif c <= TRIED:
                taken = least + (most - least) * (c - 1) / (TRIED - 1)
            elif c <= TRIED + levels:
                if step[SHARE] == 0:
                    continue
                taken = (level[c - TRIED - 1] - step[OFFSET]) / step[SHARE] - net
            elif c <= TRIED + levels + hinges.shape[1]:
                taken = hinges[t, c - TRIED - levels - 1, 0] - net
            elif c == TRIED + levels + hinges.shape[1] + 1:
                taken = -net
            elif c == TRIED + levels + hinges.shape[1] + 2:
                taken = -net - step[OUT]
            elif c == TRIED + levels + hinges.shape[1] + 3:
                taken = step[REACH] - net
            else:
                if step[SHARE] == 0:
                    continue
                upto = peak if c == TRIED + levels + hinges.shape[1] + 4 else max(peak, float(step[UPTO]))
                taken = (upto - step[OFFSET]) / step[SHARE] - net
            taken = min(max(taken, least), most)
            mean = 0.0
            if step[SHARE] > 0:
                mean = step[OFFSET] + step[SHARE] * max(net + taken, 0.0)
            after = max(peak, mean)
            later = energy + hours * (taken * efficiency if taken > 0 else taken / efficiency)
            bold = step[SHARE] > 0 and mean > max(peak, float(step[UPTO])) + 1e-3
            bold = bold or net + taken > float(step[REACH]) + 1e-3
            if taken > 0 and bold and later > float(step[NEEDED]) + 1e-3:
                continue
            place = min(max((later - bottom) / gap, 0.0), room - 1.0)
            i = min(int(place), room - 2)
            m, over = 0, 0.0
            while m < levels - 1 and level[m + 1] <= after:
                m += 1
            if m < levels - 1:
                over = max((after - level[m]) / max(float(level[m + 1] - level[m]), 1e-6), 0.0)
            found = _cost(step, hinges[t], net, taken) + FEW * hours * abs(taken)
            found += _later(value[t + 1], worth[period], ends, chances, m, over, i, place - i)
            found += float(steep[period]) * max(after - float(level[levels - 1]), 0.0)
            found += (1 - (place - i)) * float(missing[t, i]) + (place - i) * float(missing[t, i + 1])
            found += outside * (max(later - top, 0.0) + max(bottom - later, 0.0))
            if found < cheapest:
                cheapest, answer[number, 0], answer[number, 1] = found, taken, after

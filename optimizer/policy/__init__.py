"""A plan where the load is not known: what the battery answers to whatever it turns out to be.

    policy = solve(outlook)                        # a stochastic dynamic program, some ms; anew each hour
    found = policy.answer(0, soc, peak, nets)      # .power in W for each net load of `nets` in W, .peak after it
    pairs, cap = policy.table(0, soc, peak)        # for Step.policy and Step.cap
    step = policy.step(number, soc, peak)          # a Step of that quarter, as a plan has it, with policy and cap
    power = respond(step.policy, net)              # W: what dispatch does at a mean net load of the window

`soc` in %, `peak` the highest mean in W that is billed for the step's period so far: `policy.stands` when the plan
begins, later what the meter made of it. A backtest:

    for number, (load, pv) in enumerate(quarters):
        if number % 4 == 0:
            policy, first = solve(outlook_at(number)), number
        step = policy.step(number - first, soc, peak)
        power = respond(step.policy, load - pv)
        peak = max(peak, load - pv - power)        # where the window counts; 0 again in a new period

`optimizer.plan.plan(outlook)` makes the whole Plan of it.
"""

from optimizer.policy.policy import Policy, respond, solve

__all__ = ["Policy", "respond", "solve"]

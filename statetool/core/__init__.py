"""The pure core: values in, values out.

Nothing in this package does I/O or reads a clock, the environment, randomness or a log. It may import the
standard library, deepdiff, `statetool.errors`, and its own modules downwards only:

    model <- canonical <- picture <- plan <- {events, ordering, document}
    document <- {state, plan_document}
    plan <- diff <- version_rows <- sequence <- planner <- project
    model <- matching <- project          ordering <- edges <- project
"""

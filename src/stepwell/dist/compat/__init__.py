"""What changed between a release and what is there now, what it means for those who use it, and which version it asks for.

    verdict = judge(Sides(before, after))      # pure: two locks, two manifests, what was predicted
    verdict.bump, verdict.blocked              # "major", False
    verdict.findings[0].rule                   # "D107"

finding     what a rule finds, and the order of bumps
sides       the facts that rules look at
kinds       what the columns of two tables hold, compared
meaning     whether a column means the same: quantiles that are all multiplied, keys that are gone
data, outputs, pipelines, predictions, environment     the rules, by what they look at
rules       all of them, and `judge`
versions    the version that a bump gives

Rules look at facts alone, never at data; each has an id, says when it speaks and why, and can be silenced with a
reason. One that speaks of what is no change for anybody is a bug. Importing this package does nothing.
"""

"""Modified Kneser-Ney, once more: a Counter for each length, no code of ``layerwise``."""

from collections import Counter, defaultdict

import numpy as np
from nltk.util import ngrams


def by_runs(counted, n, n_kinds):
    """Return a function that gives bits: modified Kneser-Ney, a Counter for each length."""
    levels = [Counter(run for text in counted for run in ngrams(["\n"] * (n - 1) + text, n))]
    while len(levels) < n:
        levels.insert(0, Counter(run[1:] for run in levels[0]))  # each kind of run once
    taken_from, totals, given = [], [], []
    for runs in levels:
        times = Counter(runs.values())
        d = {1: 0.5, 2: 1.0, 3: 1.5}
        if all(times[k] for k in (1, 2, 3, 4)):
            y = times[1] / (times[1] + 2 * times[2])
            for k in d:
                found = k - (k + 1) * y * times[k + 1] / times[k]
                d[k] = found if found > 0 else d[k]
        total, back = defaultdict(int), defaultdict(float)
        for run, count in runs.items():
            total[run[:-1]] += count
            back[run[:-1]] += min(count, d[min(count, 3)])
        taken_from.append(d)
        totals.append(total)
        given.append(back)

    def bits(text):
        costs = []
        for run in ngrams(["\n"] * (n - 1) + text, n):
            p = 1 / n_kinds
            for length, (runs, d) in enumerate(zip(levels, taken_from, strict=True), start=1):
                part = run[n - length :]
                total = totals[length - 1].get(part[:-1])
                if total:
                    left = max(0, runs[part] - d[min(runs[part], 3)]) if runs[part] else 0
                    p = (left + given[length - 1][part[:-1]] * p) / total
            costs.append(-np.log2(p))
        return sum(costs)

    return bits

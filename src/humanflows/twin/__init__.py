"""A simulated world whose truth is known, and the imperfect sources through which it is seen.

``economy`` sets the stage (places, incomes, events), ``world`` lets people live and move on it, ``observe`` writes the
tables that offices would publish. People here choose between destinations; the fitted model knows nothing of that.
"""

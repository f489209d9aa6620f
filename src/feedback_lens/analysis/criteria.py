"""The seven criteria of prompt quality, numbered from 1.

Source: Li et al. 2024 (BenchBuilder); paper Table 12.
"""

CRITERIA = (
    "specificity",
    "domain_knowledge",
    "complexity",
    "problem_solving",
    "creativity",
    "technical_accuracy",
    "real_world",
)

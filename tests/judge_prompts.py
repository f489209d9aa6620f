"""Judge prompts in the forms of FastChat's and WildBench's files, made up for the tests."""

import json

ONE = "Q {question} A <{answer}> End {{}}"
TWO = "1 {question_1} / {answer_1} 2 {question_2} / {answer_2}"
PROMPTS = [
    {"name": "single-v1", "system_prompt": "s1", "prompt_template": ONE},
    {"name": "single-math-v1", "system_prompt": "s2", "prompt_template": "R {ref_answer_1} " + ONE},
    {"name": "single-v1-multi-turn", "system_prompt": "s3", "prompt_template": TWO},
    {
        "name": "single-math-v1-multi-turn",
        "system_prompt": "s4",
        "prompt_template": "R {ref_answer_1}, {ref_answer_2} " + TWO,
    },
    {"name": "pair-v2", "system_prompt": "s5", "prompt_template": "{answer_a} {answer_b}"},
]
TEMPLATE = 'H\n{$history}\nQ {$user_query} A <{$model_output}>\n{$checklist}\n{"score": "[1~10]"}\n'


def write_prompts(folder, rows=PROMPTS):
    path = folder / "judge_prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path

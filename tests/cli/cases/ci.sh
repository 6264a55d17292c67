# What pipelines read: JUnit, Markdown, the baseline; and the scripts of docs/ci.md as they stand there.
mkdir few && for i in 0 1 2 3 4 5; do ln -s "$SCREENS/test/test_000$i.png" few/; done
REFS=$SCREENS/test.json
xml() { python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1"; }
run=(vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS" --quiet)

expect "JUnit of a refusal" 4 "" "${run[@]}" --max-drop 90% --min-speedup 1000 --junit j.xml --markdown m.md
that "a case per budget" grep -q '<testsuite name="vlm-eval" tests="2" failures="1" errors="0" skipped="0">' j.xml
that "what failed, with figure and limit" grep -qE '<testcase classname="vlm-eval" name="speedup"><failure type="slower" message="speedup [0-9.]+x, wanted at least 1000x"/></testcase>' j.xml
command -v python3 >/dev/null && that "it is XML" xml j.xml
that "the verdict is the title" grep -q "^### vlm-eval: slower$" m.md
that "a row per budget" grep -qE '^\| pass \| CIDEr-D drop .* wanted at most 90 % \|$' m.md
that "figures of both" grep -qE '^\| CIDEr-D \| [0-9.]+ \| [0-9.]+ \|$' m.md
expect "nothing asked" 0 "" "${run[@]}" --junit none.xml
that "is a case that was skipped" grep -q 'tests="1" failures="0" errors="0" skipped="1"' none.xml

# Names of files cannot leave their cell or their attribute.
mkdir odd && cp "$SCREENS/test/test_0000.png" 'odd/a|b<i>&"`_.png' && cp "$SCREENS/test/test_0001.png" odd/c.png
vlm-quantize "$BUNDLE" --calib "$STATS" --weights s8-tensor --range percentile:90 --everything --level 1 --quiet -o bad.vlmq
expect "odd names" 0 "" vlm-eval "$BUNDLE" bad.vlmq --images odd --baseline "$PACK" --markdown odd.md --junit odd.xml --prompt '<CAPTION>' --quiet
that "no cell is broken" eval '! grep -qF "a|b<i>" odd.md'
command -v python3 >/dev/null && that "and XML stays XML" xml odd.xml

# ---- the baseline ----
expect "a model against itself: nothing is worse" 0 "^since the baseline +0 of 6 worse, 0 better \(CIDEr-D\)$" vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS" --baseline "$PACK"
expect "a bad model after a good one" 0 "^since the baseline +[1-6] of 6 worse, [0-9] better \(CIDEr-D\)$" vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --baseline "$PACK" -v
that "image by image" grep -qE "^  test_000[0-5].png: [0-9.e-]+, was [0-9.e-]+$" out
that "with both captions" grep -qE "^    [-+] a " out
expect "in JSON" 0 '"regressions": \{"metric": "CIDEr-D", "worse": [1-6], "better": [0-9], "items": \[\{"sample": "test_000[0-5].png", "prompt": "<CAPTION>", "before": ' vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --baseline "$PACK" --json
expect "two packed models alone" 0 "^since the baseline +[1-6] of 6 worse, 0 better \(unchanged\)$" vlm-eval bad.vlmq --images few --baseline "$PACK"
expect "and a budget between them" 3 "bad.vlmq is refused: agreement: captions unchanged [0-9.]+ %, wanted at least 100 %" vlm-eval bad.vlmq --images few --baseline "$PACK" --min-agreement 100%
expect "a baseline that is not there" 2 "^vlm-eval: old.vlmq: no such file$" vlm-eval "$PACK" --images few --baseline old.vlmq

# ---- docs/ci.md ----
block() { awk -v kind="$1" '$0 == "```" kind { on = 1; next } $0 == "```" { on = 0 } on' "$ROOT/docs/ci.md"; }
block sh >gate.sh
that "the page has a script" grep -q "^vlm-eval " gate.sh
export GATE_SAMPLES=4 GATE_DROP=90% GATE_AGREEMENT=0%
expect "the script passes" 0 "^### vlm-eval: (pass|inconclusive)$" sh gate.sh "$BUNDLE" few "$REFS" "$PACK"
for file in eval.json records.jsonl junit.xml summary.md model.vlmq; do that "it leaves $file" test -s gate/$file; done
rm -rf gate
export GATE_AGREEMENT=100% GATE_DROP=0%
got=0
sh gate.sh "$BUNDLE" few "$REFS" bad.vlmq >said 2>&1 || got=$?
that "a refusal of the script is that of the gate" test "$got" = 3 -o "$got" = 0
that "and leaves the evidence" test -s gate/junit.xml
# The workflow: its steps of shell, with the script that stands beside it, on a copy of what it checks out.
rm -rf gate
block yaml >workflow.yml
that "the workflow calls the script" grep -q "run: sh gate.sh model images captions.json released.vlmq" workflow.yml
ln -s "$BUNDLE" model; ln -s few images; cp "$REFS" captions.json; cp "$PACK" released.vlmq
export GATE_AGREEMENT=0% GATE_DROP=90% GITHUB_STEP_SUMMARY=$PWD/step.md
grep -oE 'run: (sh|cat) .*' workflow.yml | sed 's/^run: //' >steps.sh
that "both steps of shell are found" test "$(wc -l <steps.sh)" = 2
expect "the workflow's steps" 0 "" sh -e steps.sh
that "the step summary" grep -q "^### vlm-eval: " step.md

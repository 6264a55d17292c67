# The same input gives the same bytes: whatever the threads, the CPU level, the order, the split, and when it is done again.
calibrate() { vlm-calibrate "$BUNDLE" --images "${list[@]}" --quiet "$@"; }
mapfile -t list < <(images 12)
that "statistics with one thread" calibrate --threads 1 -o one.h5
that "statistics with two threads" calibrate --threads 2 -o two.h5
same "statistics: equal for one and two threads" one.h5 two.h5
same "statistics: equal when made again" "$STATS" two.h5
mapfile -t list < <(images 12 | tac)
that "statistics in reverse order" calibrate -o back.h5
same "statistics: equal in another order" one.h5 back.h5
mapfile -t list < <(images 12)
for i in 0 1 2; do that "statistics: shard $i of 3" calibrate --shard $i/3 -o part$i.h5; done
that "statistics: merge" vlm-calibrate --merge part2.h5 part0.h5 part1.h5 -o merged.h5 --quiet
same "statistics: equal from three shards" one.h5 merged.h5
that "statistics on plain C kernels" vlm-calibrate "$BUNDLE" --images "${list[@]:0:2}" --cpu c --quiet -o c.h5
that "statistics on the best kernels" vlm-calibrate "$BUNDLE" --images "${list[@]:0:2}" --quiet -o best.h5
same "statistics: equal for every CPU level" c.h5 best.h5
that "statistics, separate decoders" vlm-calibrate "$BUNDLE" --images "${list[@]:0:2}" --decoder separate --quiet -o separate.h5

that "packed again" vlm-quantize "$BUNDLE" --calib "$STATS" --level 3 --threads 1 --quiet -o again.vlmq
same "packed model: equal bytes" "$PACK" again.vlmq
that "packed from the merged statistics" vlm-quantize "$BUNDLE" --calib merged.h5 --level 3 --quiet -o merged.vlmq
same "packed model: equal from merged statistics" "$PACK" merged.vlmq
that "packed without compression" vlm-quantize "$BUNDLE" --calib "$STATS" --codec raw --quiet -o raw.vlmq

tokens() { vlm-run "$@" "$SCREENS"/test/test_000[0-4].png --json | sed 's/.*"token_ids": \(\[[^]]*\]\).*/\1/'; }
for model in "$BUNDLE" "$PACK"; do
  name=$(basename "$model")
  tokens "$model" >best.txt
  that "$name: five answers" test "$(grep -c '^\[2, ' best.txt)" = 5
  tokens "$model" --cpu c >c.txt
  same "$name: same tokens with plain C kernels" best.txt c.txt
  tokens "$model" --threads 1 >one.txt
  same "$name: same tokens with one thread" best.txt one.txt
  for level in avx2 avxvnni avx512vnni; do
    vlm-run "$model" "$IMAGE" --cpu $level >/dev/null 2>err || { skip "$name: same tokens with $level kernels" "$(tail -1 err | cut -c1-80)"; continue; }
    tokens "$model" --cpu $level >level.txt
    same "$name: same tokens with $level kernels" best.txt level.txt
  done
done
tokens "$BUNDLE" --decoder merged >merged.txt
tokens "$BUNDLE" --decoder separate >separate.txt
same "same tokens with merged and separate decoders" merged.txt separate.txt
tokens raw.vlmq >raw.txt
tokens "$PACK" >zstd.txt
same "same tokens from a raw and a compressed file" zstd.txt raw.txt

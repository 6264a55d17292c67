/* Opening a set: options, limit and shard, references. */
#include <string.h>

#include "calib/caption_join.h"
#include "calib/dataset_paths.h"
#include "calib/dataset_set.h"

static vlm_status copy_opts(vlm_dataset *set, const vlm_dataset_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset_input *inputs = NULL;
  if (opts) set->opts = *opts;
  if (set->opts.shards == 0) set->opts.shards = 1;
  VLM_CHECK(set->opts.shard < set->opts.shards, err, VLM_USAGE,
            "shard %zu of %zu does not exist; shards are counted from 0", set->opts.shard, set->opts.shards);
  VLM_TRY(vlm_arena_new(set->arena, &inputs, set->opts.input_count, err));
  for (size_t i = 0; i < set->opts.input_count; i++) {
    inputs[i].rank = opts->inputs[i].rank;
    VLM_TRY(vlm_arena_strdup(set->arena, &inputs[i].name, opts->inputs[i].name, err));
  }
  set->opts.inputs = inputs;
out:
  return st;
}

static vlm_status join_sample(vlm_dataset *set, vlm_caption_join *join, vlm_sample *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_caption_image *image;
  VLM_TRY(vlm_caption_join_find(join, &image, s->key, s->path, err));
  VLM_CHECK(image && image->n_texts, err, VLM_INPUT,
            "image \"%s\" has no reference captions; the references have %d images, the first is \"%s\"",
            s->key, set->opts.refs->n_images,
            set->opts.refs->images[0].file ? set->opts.refs->images[0].file : set->opts.refs->images[0].id);
  s->refs = image->texts;
  s->ref_count = (size_t)image->n_texts;
out:
  return st;
}

/* References of the whole (limited) set are checked, so that every shard fails alike. */
static vlm_status join_refs(vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_caption_join join = {0};
  if (!set->opts.refs) return VLM_OK;
  VLM_TRY(vlm_caption_join_create(&join, set->opts.refs, err));
  for (size_t i = 0; i < set->count; i++)
    if (!set->samples[i].ref_count)
      VLM_TRY(join_sample(set, &join, &set->samples[i], err)); /* the manifest's own win */
out:
  vlm_caption_join_free(&join);
  return st;
}

static void cut(vlm_dataset *set) {
  size_t kept = 0;
  set->of_all = set->count;
  for (size_t i = 0; i < set->count; i++)
    if (i % set->opts.shards == set->opts.shard) set->samples[kept++] = set->samples[i];
  set->count = kept;
}

typedef vlm_status add_path(vlm_dataset *set, const char *path, vlm_error *err);

static vlm_status open_set(vlm_dataset **out, bool images, const char *const *paths, size_t count,
                           const vlm_dataset_opts *opts, vlm_error *err) {
  add_path *add = images ? vlm_dataset_add_image_path : vlm_dataset_add_input_path;
  vlm_status st = VLM_OK;
  vlm_dataset *set = NULL;
  *out = NULL;
  VLM_CHECK(count > 0, err, VLM_USAGE, "no %s given", images ? "images are" : "inputs are");
  VLM_TRY(vlm_new(&set, 1, err));
  VLM_TRY(vlm_arena_create(&set->arena, err));
  set->images = images;
  VLM_TRY(copy_opts(set, opts, err));
  for (size_t i = 0; i < count; i++) VLM_TRY(add(set, paths[i], err));
  if (set->opts.limit && set->opts.limit < set->count) set->count = set->opts.limit;
  VLM_TRY(join_refs(set, err));
  cut(set);
  *out = set;
out:
  if (st != VLM_OK) vlm_dataset_free(set);
  return st;
}

vlm_status vlm_dataset_open_images(vlm_dataset **out, const char *const *paths, size_t count,
                                   const vlm_dataset_opts *opts, vlm_error *err) {
  return open_set(out, true, paths, count, opts, err);
}

vlm_status vlm_dataset_open_inputs(vlm_dataset **out, const char *const *paths, size_t count,
                                   const vlm_dataset_opts *opts, vlm_error *err) {
  return open_set(out, false, paths, count, opts, err);
}

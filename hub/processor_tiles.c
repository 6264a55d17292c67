/* Geometry of the processors that cut an image, or keep its shape in patches. */
#include "hub/processor_read.h"

static vlm_status wants(bool *out, const vlm_processor_reading *r, const char *key) {
  return vlm_processor_flag(out, r, key, VLM_JSON_REQUIRED);
}

static vlm_preprocess_op *add_tile(vlm_processor_reading *r, vlm_tile_rule rule, vlm_resize_filter filter) {
  vlm_preprocess_op *op = vlm_processor_add(r, VLM_PREPROCESS_TILE);
  op->rule = rule;
  op->filter = filter;
  return op;
}

/* ---- Idefics ---- */

vlm_status vlm_processor_idefics3(vlm_processor_reading *r) {
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool resize = false, split = false;
  int side = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_add_white(r));
  VLM_TRY(wants(&resize, r, "do_resize"));
  VLM_TRY(wants(&split, r, "do_image_splitting"));
  VLM_TRY(vlm_processor_filter(&filter, r));
  if (resize) {
    VLM_TRY(vlm_processor_edge(&side, r, "size", "longest_edge"));
    vlm_processor_add_resize(r, &(vlm_processor_extent){side, side, VLM_FIT_CONTAIN_EVEN}, filter);
  }
  VLM_TRY(vlm_processor_edge(&side, r, "max_image_size", "longest_edge"));
  vlm_preprocess_op *op = add_tile(r, VLM_TILE_MULTIPLES, filter);
  op->size = side;
  op->split = split;
out:
  return st;
}

vlm_status vlm_processor_idefics2(vlm_processor_reading *r) {
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  bool resize = false, split = false;
  int shortest = 0, longest = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_add_white(r));
  VLM_TRY(wants(&resize, r, "do_resize"));
  VLM_TRY(wants(&split, r, "do_image_splitting"));
  add_tile(r, VLM_TILE_QUARTERS, VLM_FILTER_NEAREST)->split = split;
  if (!resize) goto out;
  VLM_TRY(vlm_processor_filter(&filter, r));
  VLM_TRY(vlm_processor_edge(&shortest, r, "size", "shortest_edge"));
  VLM_TRY(vlm_processor_edge(&longest, r, "size", "longest_edge"));
  vlm_processor_add_resize(r, &(vlm_processor_extent){.fit = VLM_FIT_BETWEEN}, filter);
  r->out->ops[r->out->count - 1].least = shortest;
  r->out->ops[r->out->count - 1].most = longest;
out:
  return st;
}

/* ---- the image's own shape ---- */

/* An area in pixels: "min_pixels", else "size"."shortest_edge", which here is an area too. */
static vlm_status read_area(int64_t *out, const vlm_processor_reading *r, const char *key, const char *edge) {
  vlm_json size = vlm_json_member(vlm_processor_holder(r, "size"), "size");
  bool stated = !vlm_json_is_null(vlm_json_member(r->config, key));
  return vlm_json_get_int_in(out, stated ? r->config : size, stated ? key : edge,
                             (vlm_json_range){1, INT32_MAX}, VLM_JSON_REQUIRED, r->err);
}

vlm_status vlm_processor_qwen2vl(vlm_processor_reading *r) {
  bool resize = false;
  int64_t patch = 0, merge = 0;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  vlm_status st = VLM_OK;
  VLM_TRY(wants(&resize, r, "do_resize"));
  if (!resize) goto out;
  VLM_TRY(vlm_processor_filter(&filter, r));
  VLM_TRY(vlm_processor_int(&patch, r, "patch_size", 256));
  VLM_TRY(vlm_processor_int(&merge, r, "merge_size", 16));
  vlm_processor_add_resize(r, &(vlm_processor_extent){.fit = VLM_FIT_AREA}, filter);
  vlm_preprocess_op *op = &r->out->ops[r->out->count - 1];
  op->step = (int)(patch * merge);
  VLM_TRY(read_area(&op->least, r, "min_pixels", "shortest_edge"));
  VLM_TRY(read_area(&op->most, r, "max_pixels", "longest_edge"));
out:
  return st;
}

/* One side of square patches, stated as a number or as height and width. */
static vlm_status read_patch(int *out, const vlm_processor_reading *r) {
  vlm_processor_extent patch;
  vlm_status st = vlm_processor_exact(&patch, r, "patch_size", false);
  if (st != VLM_OK) return st;
  if (patch.width != patch.height)
    return vlm_json_fail(r->config, r->err, VLM_UNSUPPORTED, "patch_size is %d x %d; squares are supported",
                         patch.width, patch.height);
  *out = patch.width;
  return VLM_OK;
}

vlm_status vlm_processor_pixtral(vlm_processor_reading *r) {
  bool resize = false;
  int longest = 0, patch = 0;
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  vlm_status st = VLM_OK;
  VLM_TRY(wants(&resize, r, "do_resize"));
  if (!resize) goto out;
  VLM_TRY(vlm_processor_filter(&filter, r));
  VLM_TRY(vlm_processor_edge(&longest, r, "size", "longest_edge"));
  VLM_TRY(read_patch(&patch, r));
  vlm_processor_add_resize(r, &(vlm_processor_extent){.fit = VLM_FIT_STEPS}, filter);
  r->out->ops[r->out->count - 1].step = patch;
  r->out->ops[r->out->count - 1].most = longest;
out:
  return st;
}

/* ---- LLaVA ---- */

static vlm_status read_grid(vlm_preprocess_op *op, const vlm_processor_reading *r) {
  vlm_json list;
  vlm_status st = VLM_OK;
  const vlm_json holder = vlm_processor_holder(r, "image_grid_pinpoints");
  VLM_TRY(vlm_json_get_array(&list, holder, "image_grid_pinpoints", VLM_JSON_REQUIRED, r->err));
  if (vlm_json_size(list) > VLM_PREPROCESS_MAX_GRID)
    return vlm_json_fail(list, r->err, VLM_LIMIT, "has %zu sizes, at most %d are handled",
                         vlm_json_size(list), VLM_PREPROCESS_MAX_GRID);
  op->n_grid = (int)vlm_json_size(list);
  for (int i = 0; i < op->n_grid; i++)
    for (size_t k = 0; k < 2; k++)
      VLM_TRY(vlm_processor_side(&op->grid[i][k], vlm_json_at(vlm_json_at(list, (size_t)i), k), r->err));
out:
  return st;
}

/* Cut in squares of `cut`; the whole image becomes a square of the shorter stated side. Every tile then goes through the plain steps. */
static vlm_status add_anyres(vlm_processor_reading *r, const vlm_processor_extent *whole, int cut) {
  vlm_resize_filter filter = VLM_FILTER_COUNT;
  vlm_status st = vlm_processor_filter(&filter, r);
  if (st != VLM_OK) return st;
  vlm_preprocess_op *op = add_tile(r, VLM_TILE_GRID, filter);
  op->width = whole->width;
  op->height = whole->height;
  op->size = cut;
  st = read_grid(op, r);
  return st == VLM_OK ? vlm_processor_add_plain(r) : st;
}

vlm_status vlm_processor_llavanext(vlm_processor_reading *r) {
  vlm_processor_extent size, crop;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_size(&size, r, "size", VLM_FIT_COVER, false));
  VLM_TRY(vlm_processor_exact(&crop, r, "crop_size", false));
  if (size.width > size.height) size.width = size.height;
  size.height = size.width;
  VLM_TRY(add_anyres(r, &size, crop.height));
out:
  return st;
}

/* Its plain steps are a resize to exactly `size`. */
vlm_status vlm_processor_onevision(vlm_processor_reading *r) {
  vlm_processor_extent size;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_processor_size(&size, r, "size", VLM_FIT_STRETCH, false));
  VLM_TRY(add_anyres(r, &size, size.height));
  for (int i = 0; i < r->out->count; i++)
    if (r->out->ops[i].kind == VLM_PREPROCESS_RESIZE) r->out->ops[i].fit = VLM_FIT_STRETCH;
out:
  return st;
}

/* ---- Gemma 3, InternVL, Phi-3-vision ---- */

static vlm_status add_strips(vlm_processor_reading *r) {
  vlm_status st = VLM_OK;
  static const char RATIO[] = "pan_and_scan_min_ratio_to_activate";
  vlm_preprocess_op *op = add_tile(r, VLM_TILE_STRIPS, VLM_FILTER_NEAREST);
  VLM_TRY(vlm_processor_int(&op->least, r, "pan_and_scan_min_crop_size", VLM_PREPROCESS_MAX_SIDE));
  VLM_TRY(vlm_processor_int(&op->most, r, "pan_and_scan_max_num_crops", 128));
  VLM_TRY(vlm_json_get_double(&op->ratio, vlm_processor_holder(r, RATIO), RATIO, VLM_JSON_REQUIRED, r->err));
out:
  return st;
}

vlm_status vlm_processor_gemma3(vlm_processor_reading *r) {
  bool pans = false;
  vlm_status st = VLM_OK;
  VLM_TRY(wants(&pans, r, "do_pan_and_scan"));
  if (pans) VLM_TRY(add_strips(r));
  VLM_TRY(vlm_processor_add_plain(r));
out:
  return st;
}

/* The canvas is always made with the bicubic filter, whatever "resample" says. */
vlm_status vlm_processor_internvl(vlm_processor_reading *r) {
  bool cuts = false;
  vlm_processor_extent size;
  int64_t least = 0, most = 0;
  vlm_status st = VLM_OK;
  VLM_TRY(wants(&cuts, r, "crop_to_patches"));
  VLM_TRY(vlm_processor_exact(&size, r, "size", false));
  VLM_TRY(vlm_processor_int(&least, r, "min_patches", 128));
  VLM_TRY(vlm_processor_int(&most, r, "max_patches", 128));
  if (cuts && most > 1) {
    vlm_preprocess_op *op = add_tile(r, VLM_TILE_RATIO, VLM_FILTER_BICUBIC);
    op->width = size.width;
    op->height = size.height;
    op->least = least;
    op->most = most;
  }
  VLM_TRY(vlm_processor_add_plain(r));
out:
  return st;
}

vlm_status vlm_processor_phi3v(vlm_processor_reading *r) {
  enum { PHI3_SIDE = 336 }; /* of the class, no file states it */
  vlm_preprocess_op *op = add_tile(r, VLM_TILE_BOARD, VLM_FILTER_NEAREST);
  op->size = PHI3_SIDE;
  return vlm_processor_int(&op->most, r, "num_crops", 128);
}

#include "calib/draw_objects.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/base/hash.h"

typedef struct picture {
  vlm_image *image;
  const vlm_objects *objects;
  int scale;
  size_t *colors;    /* per object */
  vlm_point *points; /* of the object at hand */
  size_t room;
  vlm_area *labels; /* where labels are */
  size_t n_labels;
} picture;

/* ---- colours ---- */

static bool same_thing(const vlm_object *a, const vlm_object *b) {
  return *a->label ? strcmp(a->label, b->label) == 0 : !*b->label && a->instance == b->instance;
}

static size_t first_choice(const vlm_object *o) {
  return *o->label ? vlm_xxh64(o->label, strlen(o->label)) % VLM_DRAW_COLORS
                   : (size_t)o->instance % VLM_DRAW_COLORS;
}

static size_t choose_color(const picture *p, size_t index, const bool used[VLM_DRAW_COLORS]) {
  const vlm_object *items = p->objects->items;
  for (size_t k = 0; k < index; k++)
    if (same_thing(&items[k], &items[index])) return p->colors[k];
  size_t first = first_choice(&items[index]);
  for (size_t step = 0; step < VLM_DRAW_COLORS; step++)
    if (!used[(first + step) % VLM_DRAW_COLORS]) return (first + step) % VLM_DRAW_COLORS;
  return first;
}

static void choose_colors(picture *p) {
  bool used[VLM_DRAW_COLORS] = {false};
  for (size_t i = 0; i < p->objects->count; i++) used[p->colors[i] = choose_color(p, i, used)] = true;
}

/* ---- outlines ---- */

/* To positions whose whole numbers are the middles of pixels. */
static vlm_status take_points(picture *p, const vlm_object *o, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t count = o->n_values / 2;
  if (count > p->room) {
    VLM_TRY(vlm_more(&p->points, p->room, count, err));
    p->room = count;
  }
  for (size_t i = 0; i < count; i++)
    p->points[i] = (vlm_point){o->values[2 * i] - 0.5, o->values[2 * i + 1] - 0.5};
out:
  return st;
}

static vlm_status draw_outlines(picture *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < p->objects->count; i++) {
    const vlm_object *o = &p->objects->items[i];
    VLM_TRY(take_points(p, o, err));
    vlm_draw_outline(p->image, p->points, o->n_values / 2, p->scale, vlm_draw_color(p->colors[i]));
  }
out:
  return st;
}

/* ---- labels ---- */

static bool overlap(const vlm_area *a, const vlm_area *b) {
  return a->left < b->left + b->width && b->left < a->left + a->width && a->top < b->top + b->height &&
         b->top < a->top + a->height;
}

static bool is_free(const picture *p, const vlm_area *area) {
  for (size_t i = 0; i < p->n_labels; i++)
    if (overlap(area, &p->labels[i])) return false;
  return true;
}

static vlm_area find_place(const picture *p, const vlm_object *o) {
  enum { TRIES = 16 };
  double left = o->values[0], top = o->values[1];
  for (size_t i = 2; i + 1 < o->n_values; i += 2) {
    left = fmin(left, o->values[i]);
    top = fmin(top, o->values[i + 1]);
  }
  vlm_area above = vlm_draw_label_area(p->image, left, top, o->label, p->scale), area = above;
  for (int k = 0; k < TRIES; k++) {
    area = vlm_draw_label_area(p->image, left, top + (double)(above.height * (k - 1)), o->label, p->scale);
    if (is_free(p, &area)) break;
  }
  return area;
}

/* One label per thing: the polygons behind its first one go without. */
static void draw_labels(picture *p) {
  const vlm_object *items = p->objects->items;
  for (size_t i = 0; i < p->objects->count; i++) {
    if (!*items[i].label || (i > 0 && items[i - 1].instance == items[i].instance)) continue;
    vlm_area area = find_place(p, &items[i]);
    vlm_draw_label(p->image, (double)area.left, (double)area.top, items[i].label, p->scale,
                   vlm_draw_color(p->colors[i]));
    p->labels[p->n_labels++] = area;
  }
}

vlm_status vlm_draw_objects(vlm_image *image, const vlm_objects *objects, vlm_error *err) {
  vlm_status st = VLM_OK;
  picture p = {.image = image, .objects = objects, .scale = vlm_draw_scale(image)};
  if (objects->count == 0) return VLM_OK;
  VLM_TRY(vlm_new(&p.colors, objects->count, err));
  VLM_TRY(vlm_new(&p.labels, objects->count, err));
  choose_colors(&p);
  VLM_TRY(draw_outlines(&p, err));
  draw_labels(&p);
out:
  vlm_free(p.colors);
  vlm_free(p.labels);
  vlm_free(p.points);
  return st;
}

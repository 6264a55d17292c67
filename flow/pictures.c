#include "flow/pictures.h"

#include <string.h>
#include <sys/stat.h>

#include "calib/draw_objects.h"
#include "calib/folder.h"
#include "calib/image.h"
#include "runtime/base/file.h"

/* ---- names ---- */

static bool is_taken(const vlm_pictures *p, int before, const char *path) {
  for (int i = 0; i < before; i++)
    if (p->paths[i] && strcmp(p->paths[i], path) == 0) return true;
  return false;
}

/* FOLDER/STEM.png, or with the first number from 2 on that is free. */
static vlm_status name_picture(vlm_pictures *p, int at, const char *folder, const char *image, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *name = NULL;
  const char *base = vlm_path_base(image);
  int stem = (int)(vlm_path_suffix(base) - base);
  size_t room = (size_t)stem + 32;
  VLM_TRY(vlm_new(&name, room, err));
  for (int number = 1; !p->paths[at]; number++) {
    if (number == 1) snprintf(name, room, "%.*s.png", stem, base);
    else snprintf(name, room, "%.*s-%d.png", stem, base, number);
    VLM_TRY(vlm_path_join(&p->paths[at], folder, name, err));
    if (!is_taken(p, at, p->paths[at])) break;
    vlm_free(p->paths[at]);
    p->paths[at] = NULL;
  }
out:
  vlm_free(name);
  return st;
}

static bool same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static vlm_status check_inputs(const vlm_pictures *p, const char *const *images, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < p->n_images * p->n_prompts; i++) {
    if (!p->paths[i] || !vlm_file_exists(p->paths[i])) continue;
    for (int k = 0; k < p->n_images; k++)
      VLM_CHECK(!same_file(p->paths[i], images[k]), err, VLM_USAGE, "--draw: %s would replace the image %s; give another folder", p->paths[i],
                images[k]);
  }
out:
  return st;
}

static bool gives_pictures(const char *prompt) {
  const vlm_task *task = vlm_task_find(prompt);
  return task && task->kind != VLM_ANSWER_TEXT;
}

vlm_status vlm_pictures_plan(vlm_pictures *out, const char *folder, const char *const *images, int n_images, const vlm_prompts *prompts,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&out->paths, (size_t)n_images * (size_t)prompts->count, err));
  out->n_images = n_images;
  out->n_prompts = prompts->count;
  for (int i = 0; i < n_images; i++)
    for (int k = 0; k < prompts->count; k++)
      if (gives_pictures(prompts->items[k])) VLM_TRY(name_picture(out, i * prompts->count + k, folder, images[i], err));
  VLM_TRY(check_inputs(out, images, err));
out:
  return st;
}

void vlm_pictures_free(vlm_pictures *p) {
  for (int i = 0; i < p->n_images * p->n_prompts; i++) vlm_free(p->paths[i]);
  vlm_free(p->paths);
  *p = (vlm_pictures){0};
}

/* ---- writing ---- */

vlm_status vlm_pictures_write(const vlm_pictures *p, const vlm_cli *cli, int image_index, int prompt_index, vlm_image *image,
                              const vlm_objects *objects, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *path = p->paths ? p->paths[image_index * p->n_prompts + prompt_index] : NULL;
  if (!path) return VLM_OK;
  VLM_TRY(vlm_draw_objects(image, objects, err));
  VLM_TRY(vlm_image_write_png(image, path, err));
  if (objects->count == 0) vlm_say(cli, "%s: the answer has no objects, the picture is the plain image", path);
  else vlm_say(cli, "%s: %zu object%s", path, objects->count, objects->count == 1 ? "" : "s");
out:
  return st;
}

void vlm_objects_put_json(vlm_json_writer *w, const vlm_objects *objects) {
  static const char *const KEYS[] = {[VLM_SHAPE_BOX] = "box", [VLM_SHAPE_QUAD] = "quad", [VLM_SHAPE_POLYGON] = "polygon"};
  vlm_json_open_array(w, "objects");
  for (size_t i = 0; i < objects->count; i++) {
    const vlm_object *o = &objects->items[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "label", o->label);
    vlm_json_open_array(w, KEYS[o->shape]);
    for (size_t k = 0; k < o->n_values; k++) vlm_json_put_double(w, NULL, o->values[k]);
    vlm_json_close_array(w);
    if (o->shape == VLM_SHAPE_POLYGON) vlm_json_put_int(w, "instance", o->instance);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

#include "flow/pictures.h"

#include <stdio.h>
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
static vlm_status name_picture(vlm_pictures *p, int at, const char *folder, const char *image,
                               vlm_error *err) {
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

static vlm_status check_inputs(const vlm_pictures *p, const vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < p->n_images * p->n_prompts; i++) {
    if (!p->paths[i] || !vlm_file_exists(p->paths[i])) continue;
    for (int k = 0; k < p->n_images; k++) {
      const char *image = vlm_dataset_get(set, (size_t)k)->path;
      VLM_CHECK(!same_file(p->paths[i], image), err, VLM_USAGE,
                "--draw: %s would replace the image %s; give another folder", p->paths[i], image);
    }
  }
out:
  return st;
}

static bool gives_pictures(const char *prompt) {
  const vlm_task *task = vlm_task_find(prompt);
  return task && task->kind != VLM_ANSWER_TEXT;
}

vlm_status vlm_pictures_plan(vlm_pictures *out, const char *folder, const vlm_dataset *set,
                             const char *const *prompts, int n_prompts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int n_images = (int)vlm_dataset_count(set);
  VLM_TRY(vlm_new(&out->paths, (size_t)n_images * (size_t)n_prompts, err));
  out->n_images = n_images;
  out->n_prompts = n_prompts;
  for (int i = 0; i < n_images; i++)
    for (int k = 0; k < n_prompts; k++) {
      const vlm_sample *s = vlm_dataset_get(set, (size_t)i);
      if (gives_pictures(vlm_sample_prompt(s, prompts, k)))
        VLM_TRY(name_picture(out, i * n_prompts + k, folder, s->path, err));
    }
  VLM_TRY(check_inputs(out, set, err));
out:
  return st;
}

void vlm_pictures_free(vlm_pictures *p) {
  for (int i = 0; i < p->n_images * p->n_prompts; i++) vlm_free(p->paths[i]);
  vlm_free(p->paths);
  *p = (vlm_pictures){0};
}

const char *vlm_pictures_path(const vlm_pictures *p, int image, int prompt) {
  return p->paths ? p->paths[image * p->n_prompts + prompt] : NULL;
}

vlm_status vlm_picture_write(const char *path, vlm_image *image, const vlm_objects *objects, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_draw_objects(image, objects, err));
  VLM_TRY(vlm_image_write_png(image, path, err));
out:
  return st;
}

/* Answers as pictures: one per image and prompt, DIR/STEM.png after the image's name without its suffix.
 *
 * - Names are set before the first answer, in the order of the command line: what is taken becomes STEM-2.png, STEM-3.png, …
 *   So two images of one name, or several prompts, never overwrite each other, and names do not depend on answers.
 * - A prompt whose task answers with text alone takes no name and gives no picture. An answer without objects gives the plain image.
 * - Pictures of an earlier run are replaced; a name that would replace one of the images given is refused. */
#ifndef VLM_FLOW_PICTURES_H
#define VLM_FLOW_PICTURES_H

#include "calib/dataset.h"
#include "runtime/decode/tasks.h"
#include "runtime/image/image.h"

typedef struct vlm_pictures {
  char **paths; /* [image * n_prompts + prompt]; NULL = no picture */
  int n_images, n_prompts;
} vlm_pictures;

/* Plans the names; writes nothing. VLM_USAGE when an image would be overwritten. `out` must be zeroed; free with
 * vlm_pictures_free. */
vlm_status vlm_pictures_plan(vlm_pictures *out, const char *folder, const vlm_dataset *set,
                             const char *const *prompts, int n_prompts, vlm_error *err);
void vlm_pictures_free(vlm_pictures *pictures);
/* NULL = no picture for the pair. */
const char *vlm_pictures_path(const vlm_pictures *pictures, int image, int prompt);

/* Draws into `image` and writes it whole or not at all. */
vlm_status vlm_picture_write(const char *path, vlm_image *image, const vlm_objects *objects, vlm_error *err);

#endif

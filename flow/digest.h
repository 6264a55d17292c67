/* What a model's files hold, as a number: the same bytes, the same digest. */
#ifndef VLM_FLOW_DIGEST_H
#define VLM_FLOW_DIGEST_H

#include "runtime/base/hash.h"

/* Of a file its bytes; of a folder the names and bytes of all files below it. Files are read in pieces. */
vlm_status vlm_flow_digest(vlm_digest *out, const char *path, vlm_error *err);

#endif

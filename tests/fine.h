/* FINE(call): the call must succeed, or the test fails with its message. Include cmocka.h before. */
#ifndef VLM_TESTS_FINE_H
#define VLM_TESTS_FINE_H

#include "runtime/base/status.h"

static vlm_error error;

#define FINE(call)                                    \
  do {                                                \
    if ((call) != VLM_OK) fail_msg("%s", error.text); \
  } while (0)

#endif

/* FINE(call): the call must succeed, or the test fails with its message.
 * FAILS(wanted, call): the call must return the status `wanted`; what came instead is printed with its message.
 * Calls pass &error. Include cmocka.h before. */
#ifndef VLM_TESTS_FINE_H
#define VLM_TESTS_FINE_H

#include "runtime/base/status.h"

static vlm_error error;

#define FINE(call)                                    \
  do {                                                \
    if ((call) != VLM_OK) fail_msg("%s", error.text); \
  } while (0)

#define FAILS(wanted, call)                                                                                     \
  do {                                                                                                          \
    vlm_status got_ = (call);                                                                                   \
    if (got_ != (wanted))                                                                                       \
      fail_msg("%s: %s (%s), wanted %s", #call, vlm_status_name(got_), got_ == VLM_OK ? "no message" : error.text, \
               vlm_status_name(wanted));                                                                        \
  } while (0)

#endif

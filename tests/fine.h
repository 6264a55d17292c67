/* FINE(call): the call must succeed, or the test fails with its message.
 * FAILS(wanted, call): the call must return the status `wanted`; what came instead is printed with its message.
 * Calls pass &error; FAILS_WITH(err, wanted, call) is for those that have an error of their own. Include cmocka.h before. */
#ifndef VLM_TESTS_FINE_H
#define VLM_TESTS_FINE_H

#include "runtime/base/status.h"

static vlm_error error __attribute__((unused)); /* not by those that use FAILS_WITH alone */

#define FINE(call)                                    \
  do {                                                \
    if ((call) != VLM_OK) fail_msg("%s", error.text); \
  } while (0)

#define FAILS_WITH(err, wanted, call)                                                \
  do {                                                                               \
    vlm_status got_ = (call);                                                        \
    if (got_ != (wanted))                                                            \
      fail_msg("%s: %s (%s), wanted %s", #call, vlm_status_name(got_),               \
               got_ == VLM_OK ? "no message" : (err).text, vlm_status_name(wanted)); \
  } while (0)
#define FAILS(wanted, call) FAILS_WITH(error, wanted, call)

#endif

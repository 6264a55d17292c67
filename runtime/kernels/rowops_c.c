#define VLM_ROW_LEVEL c
#include "runtime/kernels/rowops_body.h"

#define VLM_ROW_LEVEL avx2
#include "runtime/kernels/rowops_body.h"

#define VLM_ROW_LEVEL avx512vnni
#include "runtime/kernels/rowops_body.h"

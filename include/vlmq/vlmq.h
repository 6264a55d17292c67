/* The whole interface of vlmq. Reference: docs/api.md. */
#ifndef VLMQ_VLMQ_H
#define VLMQ_VLMQ_H

#include <vlmq/base.h>
#include <vlmq/engine.h>
#include <vlmq/generate.h>
#include <vlmq/graph.h>
#include <vlmq/picture.h>
#include <vlmq/runner.h>

#endif

/* The orientation of pictures: EXIF (a TIFF directory), else XMP. Values as Pillow's Image.getexif reads them. */
#include <string.h>

#include "calib/image_codec.h"

enum { ORIENTATION = 0x112, SHORT = 3, LONG = 4, SIGNED_SHORT = 8, SIGNED_LONG = 9, ENTRY_BYTES = 12 };

typedef struct tiff {
  const unsigned char *data;
  size_t bytes;
  bool big; /* the most significant byte first */
} tiff;

static uint32_t number(const tiff *t, size_t at, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint32_t)t->data[at + (size_t)i] << 8 * (t->big ? bytes - 1 - i : i);
  return v;
}

/* One number of a type that holds whole ones; what is no orientation counts as upright. */
static int entry_value(const tiff *t, size_t at) {
  uint32_t type = number(t, at + 2, 2);
  bool two = type == SHORT || type == SIGNED_SHORT;
  if (number(t, at + 4, 4) != 1 || !(two || type == LONG || type == SIGNED_LONG)) return 1;
  uint32_t v = number(t, at + 8, two ? 2 : 4);
  return v >= 1 && v <= 8 ? (int)v : 1;
}

int vlm_exif_orientation(const unsigned char *data, size_t bytes) {
  static const char HEAD[6] = "Exif\0";
  for (int k = 0; k < 2 && bytes >= sizeof HEAD && memcmp(data, HEAD, sizeof HEAD) == 0; k++)
    data += 6, bytes -= 6;
  tiff t = {.data = data, .bytes = bytes, .big = bytes > 0 && data[0] == 'M'};
  int found = 0;
  if (bytes < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)) return 0;
  size_t at = number(&t, 4, 4);
  if (at > bytes - 2) return 0;
  for (uint32_t left = number(&t, at, 2); left > 0 && at + 2 + ENTRY_BYTES <= bytes;
       left--, at += ENTRY_BYTES)
    if (number(&t, at + 2, 2) == ORIENTATION) found = entry_value(&t, at + 2);
  return found;
}

int vlm_xmp_orientation(const unsigned char *data, size_t bytes) {
  static const char KEY[] = "tiff:Orientation";
  const size_t n = sizeof KEY - 1;
  for (size_t at = 0; at + n + 2 <= bytes; at++) {
    if (data[at] != 't' || memcmp(data + at, KEY, n) != 0) continue;
    size_t value = data[at + n] == '>' ? at + n + 1 : at + n + 2;
    bool opens = data[at + n] == '>' || (data[at + n] == '=' && data[at + n + 1] == '"');
    if (opens && value < bytes && data[value] >= '0' && data[value] <= '9') return data[value] - '0';
  }
  return 0;
}

static int hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

int vlm_hex_exif_orientation(const char *text) {
  unsigned char data[4096]; /* the directory stands at the begin */
  size_t n = 0;
  for (int line = 0; line < 3 && text; line++) text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
  for (; text && *text && n < sizeof data; text++) {
    if (*text == '\n') continue;
    if (hex(text[0]) < 0 || hex(text[1]) < 0) return 0;
    data[n++] = (unsigned char)(hex(text[0]) << 4 | hex(text[1]));
    text++;
  }
  return vlm_exif_orientation(data, n);
}

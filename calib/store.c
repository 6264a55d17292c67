#include "calib/store.h"

void vlm_store_start(void) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5Lunregister(H5L_TYPE_EXTERNAL); /* a file must not make us read others */
}

hid_t vlm_store_text_type(size_t bytes) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, bytes);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

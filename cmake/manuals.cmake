# Manual pages and shell completion from the tables of programs and options, in ${PROJECT_BINARY_DIR}/manuals:
# man1/vlm-NAME.1, bash/vlm-NAME, zsh/_vlm-NAME, fish/vlm-NAME.fish. A program that is cross-built cannot write them.
include(GNUInstallDirs)
add_executable(make_manuals ${PROJECT_SOURCE_DIR}/docs/make_manuals.c)
target_link_libraries(make_manuals PRIVATE vlmq-cli)
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(manuals ${PROJECT_BINARY_DIR}/manuals)
  add_custom_command(OUTPUT ${manuals}/written COMMAND make_manuals ${manuals} COMMAND ${CMAKE_COMMAND} -E touch ${manuals}/written
                     DEPENDS make_manuals VERBATIM)
  add_custom_target(manuals ALL DEPENDS ${manuals}/written)
  install(DIRECTORY ${manuals}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tools)
  install(DIRECTORY ${manuals}/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
  install(DIRECTORY ${manuals}/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT tools)
  install(DIRECTORY ${manuals}/fish/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tools)
endif()

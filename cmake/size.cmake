# libvlmq-runtime is to be small. Sections that nothing refers to are dropped when it is linked; nothing in it is unwound (callbacks may
# not throw), debuggers have their own tables. What walks over tensors is compiled for speed; what runs once per model, graph or token, for
# size: vlmq_small(TARGET [FILES that stay as the build type says]).
option(VLMQ_SMALL "Compile for size what is not hot" ON)
add_compile_options(-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables)

function(vlmq_small target)
  if(VLMQ_SMALL)
    target_compile_options(${target} PRIVATE $<$<OR:$<CONFIG:Release>,$<CONFIG:RelWithDebInfo>>:-Os>)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS $<$<OR:$<CONFIG:Release>,$<CONFIG:RelWithDebInfo>>:-O2>)
  endif()
endfunction()

/** The public names of PyTorch that are not here under the same name, each with a row of docs/pytorch.md. */

/** Names that a row of a table of docs/pytorch.md stands for; `row` is how its first cell begins. */
export interface Exceptions {
  row: string;
  /** Names by namespace, separated by spaces, or a pattern for them. */
  names: Record<string, string | RegExp>;
}

export const writtenDifferently: Exceptions[] = [
  {
    row: '`torch.FloatTensor`',
    names: {
      torch: /(Tensor|Storage|StorageBase)$|^(is_storage|set_default_tensor_type)$/,
      Tensor: 'as_subclass new storage storage_type type untyped_storage volatile',
    },
  },
  { row: '`torch.Size`, `torch.device`', names: { torch: 'Size Stream jagged' } },
  {
    row: '`x.numpy()`, `torch.from_numpy(a)`',
    names: { torch: 'asarray from_numpy frombuffer', Tensor: 'apply_ map_ map2_ numpy' },
  },
  { row: '`torch.save(d, f)`', names: { torch: 'load save', Tensor: 'module_load' } },
  {
    row: '`torch.eig`, `torch.solve`',
    names: { torch: 'eig lstsq lu matrix_rank solve symeig', Tensor: 'eig lstsq lu solve symeig' },
  },
  { row: '`torch.amp.GradScaler`', names: { torch: 'GradScaler' } },
  {
    row: '`optim.lr_scheduler.StepLR`',
    names: {
      'torch.optim.swa_utils': 'get_ema_avg_fn get_ema_multi_avg_fn get_swa_avg_fn get_swa_multi_avg_fn update_bn',
    },
  },
  { row: '`optimizer.step(closure)`', names: { 'torch.optim.Optimizer': 'step' } },
  {
    row: '`self.register_parameter',
    names: { 'torch.nn.Module': 'add_module register_module register_parameter set_submodule' },
  },
  {
    row: '`module.extra_repr()`',
    names: {
      'torch.nn.Module': 'extra_repr forward T_destination call_super_init dump_patches',
      'torch.nn': 'Buffer Container',
    },
  },
  { row: '`module.type(t)`', names: { 'torch.nn.Module': 'ipu mtia type xpu', Tensor: 'ipu mtia xpu' } },
  { row: '`nn.CrossMapLRN2d`', names: { 'torch.nn': 'CrossMapLRN2d NLLLoss2d' } },
  {
    row: '`nn.DataParallel`',
    names: { 'torch.nn': 'DataParallel', 'torch.nn.Module': 'share_memory', Tensor: 'is_shared share_memory_' },
  },
  { row: '`F.upsample`', names: { 'torch.nn.functional': 'upsample upsample_bilinear upsample_nearest' } },
  {
    row: '`nn.init.normal`',
    names: {
      'torch.nn.init':
        'constant dirac eye kaiming_normal kaiming_uniform normal orthogonal sparse uniform xavier_normal xavier_uniform',
      'torch.nn.utils': 'clip_grad_norm',
    },
  },
  {
    row: '`nn.utils.weight_norm`',
    names: { 'torch.nn.utils': 'remove_spectral_norm remove_weight_norm spectral_norm weight_norm' },
  },
  { row: '`torch.spmm`', names: { torch: 'dsmm hsmm saddmm spmm', Tensor: 'to_sparse_coo' } },
  {
    row: '`torch.set_anomaly_enabled`',
    names: { torch: /anomaly/, 'torch.autograd': 'set_detect_anomaly Variable variable' },
  },
  { row: '`torch.set_float32_matmul_precision`', names: { torch: /float32_matmul_precision$/ } },
  { row: '`torch.linalg.LinAlgError`', names: { 'torch.linalg': 'LinAlgError' } },
];

export const missing: Exceptions[] = [
  {
    row: '`torch.compile`',
    names: {
      torch:
        /^(compile|cond|while_loop|classproperty|sym_.*|Sym.*|fork|wait|.*type_list|.*type_comment|import_ir.*|parse_.*)$/,
      'torch.nn.Module': 'compile',
    },
  },
  { row: '`torch.vmap`', names: { torch: 'vmap' } },
  { row: '`torch.set_default_dtype`', names: { torch: /^[gs]et_default_(dtype|device)$/ } },
  {
    row: '`torch.quantization`',
    names: { torch: /^(u?int[1-7]|bits?\d*.*|quint[24]x[24]|float[48]_.*|legacy_contiguous_format|per_.*)$/ },
  },
  { row: '`torch.lobpcg`', names: { torch: 'lobpcg' } },
  {
    row: '`nn.LazyLinear`',
    names: {
      'torch.nn': /^(Lazy|Uninitialized)|^factory_kwargs$/,
      'torch.nn.Module': 'to_empty',
      'torch.nn.utils': 'skip_init',
    },
  },
  { row: '`nn.RNNBase`', names: { 'torch.nn': 'RNNBase RNNCellBase' } },
  {
    row: '`nn.LinearCrossEntropyLoss`',
    names: {
      'torch.nn': 'LinearCrossEntropyLoss LinearCrossEntropyOptions',
      'torch.nn.functional': 'grouped_mm linear_cross_entropy scaled_grouped_mm scaled_mm',
    },
  },
  { row: '`nn.utils.fuse_conv_bn_eval`', names: { 'torch.nn.utils': /^fuse_|memory_format$/ } },
  {
    row: '`parametrizations.orthogonal`',
    names: {
      'torch.nn.utils.parametrizations': 'orthogonal',
      'torch.nn.utils.parametrize': 'cached transfer_parametrizations_and_params type_before_parametrizations',
    },
  },
  {
    row: '`register_full_backward_hook`',
    names: {
      'torch.nn.Module': /_hook$|extra_state$/,
      'torch.optim.Optimizer': /[Hh]ook(_step)?$/,
      Tensor: 'register_post_accumulate_grad_hook grad_dtype reinforce',
    },
  },
  { row: '`optim.SparseAdam`', names: { 'torch.optim': 'SparseAdam swap_in_optimizer_params_and_state' } },
  {
    row: '`torch.set_printoptions`',
    names: {
      torch:
        /^(set_printoptions|set_warn_always|set_flush_denormal|.*interop_threads|init_num_threads|.*warn_always.*|.*deterministic.*|.*autocast.*|is_inference_mode_enabled|typename|compiled_with_cxx11_abi|get_device_module|get_file_path|prepare_multiprocessing_environment|profiler_.*|thread_safe_generator)$/,
      'torch.autograd': 'NestedIOFunction enforce_grad_layout_policy set_multithreading_enabled',
      'torch.random': 'thread_safe_generator',
    },
  },
  {
    row: '`torch.from_dlpack`',
    names: {
      torch: 'from_dlpack to_dlpack',
      Tensor: /^(const_data_ptr|data_ptr|dim_order|record_stream|name|is_(ipu|maia|mkldnn|mps|mtia|vulkan|xla|xpu))$/,
    },
  },
];

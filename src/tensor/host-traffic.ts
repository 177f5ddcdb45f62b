/**
 * How often values went from JavaScript into tensors or back since the process began. Work in which that happens cannot
 * be recorded: the device would have to be waited for, or what JavaScript gave once would be given for ever.
 */
export const hostTraffic = { count: 0 };

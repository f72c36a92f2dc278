import { api, list } from '../schema.ts'

export const FindCoordinator = api(10, 'FindCoordinator', '0-6', '3+', {
  request: {
    key:                           'string 0-3',
    keyType:                       'int8 1+ = 0',
    coordinatorKeys:               list('4+', 'string'),
  },
  response: {
    throttleTimeMs:                'int32 1+',
    errorCode:                     'int16 0-3',
    errorMessage:                  'string? 1-3',
    nodeId:                        'int32 0-3 @brokerId',
    host:                          'string 0-3',
    port:                          'int32 0-3',
    coordinators: list('4+', {
      key:                         'string 4+',
      nodeId:                      'int32 4+ @brokerId',
      host:                        'string 4+',
      port:                        'int32 4+',
      errorCode:                   'int16 4+',
      errorMessage:                'string? 4+',
    }),
  },
})

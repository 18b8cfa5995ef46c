"""S3, IAM, STS, SQS, EventBridge and CloudWatch: ministack's services, made to survive a kill -9."""
